#include "kernels/random/random.h"

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

constexpr RandomState plain{.seed = 20261121, .offset = 7};
/// Every word of the key and of the counter matters.
constexpr RandomState wide{.seed = 0xFEDCBA9876543210u, .offset = 0xF123456789ABCDEFu};

struct Draw {
    Shape shape;
    RandomState state = plain;
    double first = 0, second = 1;  // low and high, or mean and deviation
    bool benchmark = false;
};

/// One element, less than a block, tails of blocks, of vectors and of tiles, several threads.
std::vector<std::pair<std::string, Draw>> draws(double first, double second) {
    return {{"one", {{1}}},
            {"empty", {{0}}},
            {"three", {{3}, wide}},
            {"tile_and_one", {{257}, wide, first, second}},
            {"tail", {{7, 131}, plain, first, second}},
            {"parallel", {{30011}, wide, first, second}},
            {"dense4096x1024", {{4096, 1024}, plain, first, second, true}}};
}

template <class Args>
Args make(const Draw& o, Problem& problem) {
    if constexpr (!std::is_same_v<Args, RandomUniform>) problem.tolerance(2);  // logarithm, sine, inverse of erf
    return {o.state, o.first, o.second, problem.output(o.shape)};
}

/// A stream whose offset is partly in the memory of the device.
RandomState advanced(Problem& problem) {
    RandomState state = wide;
    state.device_offset = problem.values({1}, {1000003}, DType::i64).as<const std::uint64_t>();
    return state;
}

template <class Args>
void add(CaseSets& sets, KernelTable<Args>& table, double first, double second) {
    std::vector<Case<Args>> cases;
    for (const auto& [name, draw] : draws(first, second))
        cases.push_back({name, [draw = draw](Problem& problem) { return make<Args>(draw, problem); }, draw.benchmark});
    cases.push_back({"device_offset", [=](Problem& problem) {
                         return make<Args>({{67}, advanced(problem), first, second}, problem);
                     }});
    cases.push_back({"unaligned", [=](Problem& problem) {
                         Args args = make<Args>({{332}, wide, first, second}, problem);
                         args.y = off_by_one(args.y, {331});
                         return args;
                     }});
    if constexpr (std::is_same_v<Args, RandomUniform>)  // more blocks than a grid of the GPU
        cases.push_back({"several_rounds", [](Problem& problem) {
                             return make<Args>({{2200003}, wide, 0, 1}, problem);
                         }});
    sets.push_back(make_case_set(table, std::move(cases)));
}

Case<RandomPermutation> permutation(std::string name, std::int64_t count, RandomState state, bool benchmark = false) {
    return {
        std::move(name),
        [=](Problem& problem) { return RandomPermutation{.state = state, .y = problem.output({count}, DType::i64)}; },
        benchmark};
}

Case<DropoutForward> dropout(std::string name, Shape shape, float rate, Fill fill = Fill::normal,
                             RandomState state = plain, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const View x = problem.input(shape, fill), y = problem.output(shape);
                return DropoutForward{state, rate, x, y, problem.output(shape, DType::u8)};
            },
            benchmark};
}

Case<DropoutBackward> dropout_back(std::string name, Shape shape, float rate, Fill fill = Fill::normal,
                                   bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const View mask = problem.integers(shape, 0, 2, DType::u8), dy = problem.input(shape, fill);
                return DropoutBackward{rate, mask, dy, problem.output(shape)};
            },
            benchmark};
}

}  // namespace

void add_random_cases(CaseSets& sets) {
    add(sets, random_uniform(), -2.5, 0.75);
    add(sets, random_normal(), 0.5, 3);
    add(sets, random_truncated_normal(), -0.25, 0.02);
    std::vector<Case<RandomPermutation>> permutations = {
        permutation("empty", 0, plain),       permutation("one", 1, plain),
        permutation("two", 2, wide),          permutation("prime", 4099, plain),
        permutation("parallel", 10007, wide), permutation("cifar50000", 50000, plain, true)};
    permutations.push_back({"device_offset", [](Problem& problem) {
                                const RandomState state = advanced(problem);
                                return RandomPermutation{.state = state, .y = problem.output({67}, DType::i64)};
                            }});
    sets.push_back(make_case_set(random_permutation(), std::move(permutations)));
    std::vector<Case<DropoutForward>> forwards = {
        dropout("one", {1}, 0.5f),
        dropout("keep_all", {67}, 0),
        dropout("drop_all", {67}, 1),
        dropout("tail", {7, 131}, 0.3f, Fill::normal, wide),
        dropout("parallel", {30011}, 0.9f),
        dropout("infinities", {977}, 0.5f, Fill::infinities),
        dropout("batch128x4096", {128, 4096}, 0.5f, Fill::normal, plain, true)};
    forwards.push_back({"device_offset", [](Problem& problem) {
                            const RandomState state = advanced(problem);
                            const View x = problem.input({67}), y = problem.output({67});
                            return DropoutForward{state, 0.5f, x, y, problem.output({67}, DType::u8)};
                        }});
    for (const int operand : {0, 1, 2})
        forwards.push_back({"unaligned_" + std::to_string(operand), [=](Problem& problem) {
                                const Shape shape{331}, more = one_more(shape);
                                const View x = problem.input(operand == 0 ? more : shape),
                                           y = problem.output(operand == 1 ? more : shape),
                                           mask = problem.output(operand == 2 ? more : shape, DType::u8);
                                return DropoutForward{plain, 0.5f, operand == 0 ? off_by_one(x, shape) : x,
                                                      operand == 1 ? off_by_one(y, shape) : y,
                                                      operand == 2 ? off_by_one(mask, shape) : mask};
                            }});
    sets.push_back(make_case_set(dropout_forward(), std::move(forwards)));
    sets.push_back(make_case_set(
        dropout_backward(),
        {dropout_back("one", {1}, 0.5f), dropout_back("drop_all", {67}, 1), dropout_back("tail", {7, 131}, 0.3f),
         dropout_back("parallel", {100003}, 0.9f), dropout_back("infinities", {977}, 0.5f, Fill::infinities),
         dropout_back("batch128x4096", {128, 4096}, 0.5f, Fill::normal, true)}));
}

}  // namespace heddle::cases
