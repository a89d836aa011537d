// Deep Q-learning on CartPole: a small network learns the value of pushing left or right from a replay buffer; a target
// network, a copy that follows slowly, says what the next state is worth (Mnih et al. 2015), the trained one which
// action it would take there (double Q-learning, van Hasselt et al. 2016). The trap: an episode that ends because its
// time is up has not failed; its last state still has a future, so only a fall cuts the target off.
#include "examples/common/example.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numbers>

using namespace heddle;

namespace {

using State = std::array<float, 4>;  // position, speed, angle, angular speed

// Barto, Sutton and Anderson 1983, with the numbers of Gymnasium's CartPole-v1.
class CartPole {
  public:
    static constexpr int longest = 500;

    State reset(Generator& generator) {
        for (float& value : state_) value = static_cast<float>(0.1 * examples::uniform(generator) - 0.05);
        steps_ = 0;
        return seen();
    }
    // Every step that does not end in a fall gives a reward of 1, the last one too.
    State step(int action) {
        constexpr float gravity = 9.8f, cart = 1.0f, pole = 0.1f, half_length = 0.5f, force = 10.0f, seconds = 0.02f;
        const auto [x, v, angle, spin] = state_;
        const float push = action == 1 ? force : -force, cosine = std::cos(angle), sine = std::sin(angle);
        const float shared = (push + pole * half_length * spin * spin * sine) / (cart + pole);
        const float turn =
            (gravity * sine - cosine * shared) / (half_length * (4.0f / 3 - pole * cosine * cosine / (cart + pole)));
        const float acceleration = shared - pole * half_length * turn * cosine / (cart + pole);
        state_ = {x + seconds * v, v + seconds * acceleration, angle + seconds * spin, spin + seconds * turn};
        ++steps_;
        return seen();
    }
    bool fallen() const { return std::abs(state_[0]) > end_of_track || std::abs(state_[2]) > last_angle; }
    bool over() const { return fallen() || steps_ == longest; }

  private:
    static constexpr float end_of_track = 2.4f, last_angle = 12 * std::numbers::pi_v<float> / 180;

    // Distances and angles in units of those at which it falls: of like size for the network.
    State seen() const {
        const auto [x, v, angle, spin] = state_;
        return {x / end_of_track, v / end_of_track, angle / last_angle, spin / last_angle};
    }

    State state_{};
    int steps_ = 0;
};

struct Transition {
    State state{}, next{};
    int action = 0;
    bool fallen = false;
};

Sequential network() {
    return Sequential{Dense(128, {.activation = Activation::relu}), Dense(128, {.activation = Activation::relu}),
                      Dense(2)};
}

int greedy(const Model& network, const State& state) {
    const std::vector<float> values =
        network.predict(Tensor::from(std::span<const float>(state), Shape{1, 4})).to_vector<float>();
    return values[1] > values[0] ? 1 : 0;
}

// Mean number of steps over greedy episodes from random starts.
double mean_return(const Model& network, int episodes, std::uint64_t seed) {
    Generator generator(seed);
    double steps = 0;
    for (int i = 0; i < episodes; ++i) {
        CartPole game;
        for (State state = game.reset(generator); !game.over(); ++steps) state = game.step(greedy(network, state));
    }
    return steps / episodes;
}

class Learner {
  public:
    explicit Learner(std::int64_t steps)
        : optimizer_(Adam({.learning_rate = LinearDecay(
                               {.initial_learning_rate = 1e-3, .decay_steps = steps, .end_learning_rate = 1e-4}),
                           .global_clip_norm = 10})) {
        online.build(Shape{4});
        target_.build(Shape{4});
        follow(1);
    }

    // One step on a random batch from the replay buffer.
    void learn(const std::vector<Transition>& memory, Generator& generator) {
        constexpr std::int64_t batch = 64;
        constexpr double discount = 0.99;
        std::vector<float> states, next, alive;
        std::vector<std::int64_t> actions;
        for (std::int64_t i = 0; i < batch; ++i) {
            const Transition& t = memory[generator.bits() % memory.size()];
            states.insert(states.end(), t.state.begin(), t.state.end());
            next.insert(next.end(), t.next.begin(), t.next.end());
            actions.push_back(t.action);
            alive.push_back(t.fallen ? 0.0f : 1.0f);
        }
        const Tensor after = Tensor::from(next, Shape{batch, 4});
        Tensor wanted;
        {
            const NoGrad no_grad;
            const Tensor best = online(after).argmax(1).reshape(Shape{batch, 1});
            wanted = ops::take_along(target_(after), best).reshape(Shape{batch}) * Tensor::from(alive, Shape{batch}) *
                         discount +
                     1.0;
        }
        const Tensor values = online(Tensor::from(states, Shape{batch, 4}), true);
        const Tensor taken = ops::take_along(values, Tensor::from(actions, Shape{batch, 1})).reshape(Shape{batch});
        ops::huber(taken, wanted).backward();
        optimizer_.step(online.parameters());
        online.zero_grad();
        follow(0.005);
    }

    const Sequential online = network();

  private:
    // Moves the target network a part of the way to the trained one.
    void follow(double part) {
        const NoGrad no_grad;
        const NamedTensors from = online.parameters(), to = target_.parameters();
        for (std::size_t i = 0; i < to.size(); ++i)
            to[i].second.copy_(to[i].second * (1 - part) + from[i].second * part);
    }

    const Sequential target_ = network();
    Optimizer optimizer_;
};

void program(const examples::Arguments& args) {
    constexpr std::int64_t steps_per_epoch = 1000;
    const std::int64_t steps = args.epochs * steps_per_epoch, exploring = steps / 4;
    constexpr std::size_t capacity = 50'000;
    Generator generator(args.seed);
    Learner learner(steps);
    std::vector<Transition> memory;
    std::vector<double> returns, evaluations;
    double best = 0;
    CartPole game;
    State state = game.reset(generator);
    double length = 0;
    for (std::int64_t step = 0; step < steps; ++step) {
        const double epsilon = std::max(0.05, 1 - 0.95 * static_cast<double>(step) / static_cast<double>(exploring));
        const int action = examples::uniform(generator) < epsilon ? static_cast<int>(generator.bits() & 1)
                                                                  : greedy(learner.online, state);
        const State next = game.step(action);
        const Transition seen{state, next, action, game.fallen()};
        if (memory.size() < capacity)
            memory.push_back(seen);
        else
            memory[static_cast<std::size_t>(step) % capacity] = seen;
        state = next;
        ++length;
        if (game.over()) {
            returns.push_back(length);
            length = 0;
            state = game.reset(generator);
        }
        if (memory.size() >= 1000) learner.learn(memory, generator);
        if ((step + 1) % steps_per_epoch == 0) {
            // Q-learning has no loss to judge by: the best network over the run is the result.
            evaluations.push_back(mean_return(learner.online, 10, 1000));
            std::printf("step %6lld: %zu episodes, greedy return %.1f\n", static_cast<long long>(step + 1),
                        returns.size(), evaluations.back());
            std::fflush(stdout);
            if (evaluations.back() > best) {
                best = evaluations.back();
                learner.online.save(args.file("dqn.safetensors"));
            }
            if (best == CartPole::longest && mean_return(learner.online, 100, 2000) >= 495) {
                learner.online.save(args.file("dqn.safetensors"));
                break;
            }
        }
    }
    const double reached = mean_return(Model::load(args.file("dqn.safetensors")), 100, 3000);
    const Sequential untrained = network();
    untrained.build(Shape{4});
    examples::print_result("mean return of 100 greedy episodes", reached, "untrained",
                           mean_return(untrained, 100, 3000));
    plot_lines(
        args.file("returns.png"),
        {.title = "DQN on CartPole",
         .x_label = "episode",
         .panels = {{.title = "return while exploring", .lines = {{.y = returns}}},
                    {.title = "greedy return, every 1000 steps", .lines = {{.y = evaluations, .markers = true}}}}});
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv, {.summary = "Deep Q-learning balances a pole", .epochs = 50}, program);
}
