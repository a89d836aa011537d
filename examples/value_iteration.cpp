// Planning without a network: value iteration and policy iteration on a grid world give the same policy. A step costs
// 0.04; with probability 0.2 the walker slips to one side; walls and the border hold it; two squares end the walk.
#include "examples/common/example.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

using namespace heddle;

namespace {

constexpr std::array<const char*, 6> world{"....#..G", ".##.#.#.", ".#....#.", ".#.##...", "...#..#T", "S#...#.."};
constexpr int rows = static_cast<int>(world.size()), columns = 8, states = rows * columns;
constexpr double step_reward = -0.04, goal = 1, trap = -1, discount = 0.99, slip = 0.2;
constexpr std::array<std::array<int, 2>, 4> moves{{{-1, 0}, {0, 1}, {1, 0}, {0, -1}}};  // up, right, down, left
constexpr char arrows[] = "^>v<";

char square(int state) { return world[static_cast<std::size_t>(state / columns)][state % columns]; }
bool ends(int state) { return square(state) == 'G' || square(state) == 'T'; }

int walk(int state, int action) {
    const auto& [down, right] = moves[static_cast<std::size_t>(action)];
    const int row = state / columns + down, column = state % columns + right;
    const bool blocked =
        row < 0 || row >= rows || column < 0 || column >= columns || square(row * columns + column) == '#';
    return blocked ? state : row * columns + column;
}

// Expected reward and value of an action; the walker slips to either side with half the probability.
double action_value(const std::vector<double>& value, int state, int action) {
    const auto at = [&](int move) { return value[static_cast<std::size_t>(walk(state, (move + 4) % 4))]; };
    return step_reward + discount * ((1 - slip) * at(action) + slip / 2 * at(action - 1) + slip / 2 * at(action + 1));
}

double fixed_value(int state) { return square(state) == 'G' ? goal : square(state) == 'T' ? trap : 0; }

int best_action(const std::vector<double>& value, int state) {
    int best = 0;
    for (int action = 1; action < 4; ++action)  // more than rounding: ties keep the first
        if (action_value(value, state, action) > action_value(value, state, best) + 1e-9) best = action;
    return best;
}

std::vector<double> start_values() {
    std::vector<double> value(states);
    for (int s = 0; s < states; ++s) value[static_cast<std::size_t>(s)] = fixed_value(s);
    return value;
}

// One sweep over all states; the largest change.
template <class Choose>
double sweep(std::vector<double>& value, const Choose& action) {
    double change = 0;
    for (int s = 0; s < states; ++s) {
        if (ends(s) || square(s) == '#') continue;
        const double updated = action_value(value, s, action(s));
        change = std::max(change, std::abs(updated - value[static_cast<std::size_t>(s)]));
        value[static_cast<std::size_t>(s)] = updated;
    }
    return change;
}

void program(const examples::Arguments& args) {
    std::vector<double> by_value = start_values();
    std::vector<double> changes;
    do changes.push_back(sweep(by_value, [&](int s) { return best_action(by_value, s); }));
    while (changes.back() > 1e-12);

    std::vector<double> by_policy = start_values();
    std::vector<int> policy(states, 0);
    int rounds = 0;
    for (bool stable = false; !stable; ++rounds) {
        while (sweep(by_policy, [&](int s) { return policy[static_cast<std::size_t>(s)]; }) > 1e-12) {
        }
        stable = true;
        for (int s = 0; s < states; ++s) {
            const int better = best_action(by_policy, s);
            stable = stable && better == policy[static_cast<std::size_t>(s)];
            policy[static_cast<std::size_t>(s)] = better;
        }
    }

    int differing = 0;
    double largest = 0;
    for (int s = 0; s < states; ++s) {
        const bool free = !ends(s) && square(s) != '#';
        const int action = best_action(by_value, s);
        differing += free && action != policy[static_cast<std::size_t>(s)];
        largest =
            std::max(largest, std::abs(by_value[static_cast<std::size_t>(s)] - by_policy[static_cast<std::size_t>(s)]));
        std::printf(" %c", free ? arrows[action] : square(s));
        if (s % columns == columns - 1) std::printf("\n");
    }
    std::printf("value iteration: %zu sweeps; policy iteration: %d rounds\n", changes.size(), rounds);
    examples::print_result("squares where the policies differ", differing);
    std::printf("largest difference of a value %.1e\n", largest);
    examples::print_result("value of the start", by_value[static_cast<std::size_t>((rows - 1) * columns)],
                           "stepping on the spot for ever", step_reward / (1 - discount));
    plot_lines(args.file("changes.png"),
               {.title = "Value iteration",
                .x_label = "sweep",
                .panels = {{.title = "largest change", .lines = {{.y = changes}}, .logarithmic = true}}});
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv, {.summary = "Value iteration and policy iteration on a grid world"}, program);
}
