#include "ops/reduce.h"
#include "ops/rnn.h"
#include "tests/ops/gradient_check.h"

namespace heddle {
namespace {

using gradients::check_gradients;
using gradients::Inputs;
using gradients::uniform;
using ops::RnnCell;

const std::pair<const char*, RnnCell> cells[] = {
    {"relu", RnnCell::relu}, {"tanh", RnnCell::tanh}, {"lstm", RnnCell::lstm}, {"gru", RnnCell::gru}};

/// x, the weights, the biases, the initial state and the cell state: batch 3, 4 steps, 2 inputs, 3 units.
Inputs inputs_of(RnnCell cell) {
    const std::int64_t width = kernels::gate_count(cell) * 3;
    Inputs in{uniform({3, 4, 2}),         uniform({width, 2}, -1, 1, 2), uniform({width, 3}, -1, 1, 3),
              uniform({width}, -1, 1, 4), uniform({width}, -1, 1, 5),    uniform({3, 3}, -1, 1, 6)};
    if (cell == RnnCell::lstm) in.push_back(uniform({3, 3}, -1, 1, 7));
    return in;
}

ops::RnnResult run(RnnCell cell, const Inputs& in, const ops::RnnOptions& options = {}) {
    return ops::rnn(cell, in[0], {in[1], in[2], in[3], in[4]}, {in[5], in.size() > 6 ? in[6] : Tensor()}, options);
}

TEST(GradientsRnn, EveryInputOfEveryCell) {
    for (const auto& [name, cell] : cells)
        check_gradients(name, inputs_of(cell), [cell = cell](const Inputs& in) { return run(cell, in).y; });
}

TEST(GradientsRnn, ThroughTheFinalStates) {
    for (const auto& [name, cell] : cells)
        check_gradients(name, inputs_of(cell), [cell = cell](const Inputs& in) {
            const ops::RnnResult result = run(cell, in);
            return cell == RnnCell::lstm ? result.state.hidden * 2.0 + result.state.cell : result.state.hidden;
        });
}

TEST(GradientsRnn, ReverseWithLengths) {
    const Tensor lengths = Tensor::from<std::int32_t>({4, 1, 3}, Shape{3});
    for (const auto& [name, cell] : cells)
        check_gradients(name, inputs_of(cell), [cell = cell, &lengths](const Inputs& in) {
            const ops::RnnResult result = run(cell, in, {.reverse = true, .lengths = lengths});
            return ops::sum(result.y) + ops::sum(result.state.hidden * 3.0);
        });
}

TEST(GradientsRnn, WithoutBiasesAndInitialState) {
    const Inputs in = inputs_of(RnnCell::gru);
    check_gradients("gru", {in[0], in[1], in[2]}, [](const Inputs& some) {
        return ops::rnn(RnnCell::gru, some[0], {some[1], some[2]}).y;
    });
}

}  // namespace
}  // namespace heddle
