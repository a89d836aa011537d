#include "ops/rnn.h"

#include <array>

#include "ops/autograd/node.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;

constexpr const char* op = "rnn";

void check_like(const char* what, const Tensor& tensor, const Shape& shape, DType dtype, Device device) {
    require(!tensor.defined() || (tensor.shape() == shape && tensor.dtype() == dtype && tensor.device() == device), op,
            "expected {} {} {} {}, got {}", what, dtype, shape, device, tensor);
}

void check_operands(RnnCell cell, const Tensor& x, const RnnWeights& w, const RnnState& initial,
                    const RnnOptions& options) {
    require(x.defined() && x.rank() == 3 && is_floating(x.dtype()) && x.size(1) >= 1, op,
            "expected floating sequences [batch, time, features] of at least one step, got {}", x);
    require(w.hidden.defined() && w.hidden.rank() == 2 && w.input.defined(), op, "weights are missing");
    const std::int64_t units = w.hidden.size(1), width = kernels::gate_count(cell) * units;
    check_like("weights of the input", w.input, Shape{width, x.size(2)}, x.dtype(), x.device());
    check_like("weights of the state", w.hidden, Shape{width, units}, x.dtype(), x.device());
    check_like("a bias", w.bias_input, Shape{width}, x.dtype(), x.device());
    check_like("a bias", w.bias_hidden, Shape{width}, x.dtype(), x.device());
    const Shape state{x.size(0), units};
    check_like("an initial state", initial.hidden, state, x.dtype(), x.device());
    check_like("an initial cell state", initial.cell, state, wide(x.dtype()), x.device());
    require(!initial.cell.defined() || cell == RnnCell::lstm, op, "only an LSTM has a cell state");
    check_like("lengths", options.lengths, Shape{x.size(0)}, DType::i32, x.device());
}

/// What the backward step needs of a forward one.
struct Kept {
    RnnCell cell;
    bool reverse;
    Saved x, weight_input, weight_hidden;
    Tensor lengths;
    Saved gates, previous_hidden, previous_cell, candidate;
};

/// Inputs: x, the four weights, the initial state and cell state. Outputs: y, the final state and cell state.
void backward(const Kept& kept, Gradients& g) {
    const Tensor &x = kept.x.get(), &weight_input = kept.weight_input.get(), &weight_hidden = kept.weight_hidden.get();
    const Tensor &gates = kept.gates.get(), &previous_hidden = kept.previous_hidden.get(),
                 &previous_cell = kept.previous_cell.get(), &candidate = kept.candidate.get();
    const Tensor dy = g.dy(0), dhidden = g.dy(1), dcell = kept.cell == RnnCell::lstm ? g.dy(2) : Tensor();

    const Shape bias{gates.shape().back()}, state{x.size(0), weight_hidden.size(1)};
    const std::array<Shape, 7> shapes{x.shape(), weight_input.shape(), weight_hidden.shape(), bias, bias, state, state};
    std::array<Tensor, 7> results;
    for (int i = 0; i < 7; ++i) {
        const auto at = static_cast<std::size_t>(i);
        TensorOptions like = x.options();
        if (i == 6) like.dtype = wide(like.dtype);
        if (g.wants(i)) results[at] = Tensor::empty(shapes[at], like);
    }
    // The first output decides where the operation runs.
    std::vector<const Tensor*> written;
    for (const Tensor& result : results)
        if (result.defined()) written.push_back(&result);
    const std::array<const Tensor*, 11> reads{&x,     &weight_input,    &weight_hidden, &kept.lengths,
                                              &gates, &previous_hidden, &previous_cell, &candidate,
                                              &dy,    &dhidden,         &dcell};
    run(kernels::rnn_backward(),
        {.cell = kept.cell,
         .x = view(x),
         .weight_input = view(weight_input),
         .weight_hidden = view(weight_hidden),
         .lengths = view(kept.lengths),
         .reverse = kept.reverse,
         .gates = view(gates),
         .previous_hidden = view(previous_hidden),
         .previous_cell = view(previous_cell),
         .candidate = view(candidate),
         .dy = view(dy),
         .dhidden = view(dhidden),
         .dfinal_cell = view(dcell),
         .dx = view(results[0]),
         .dweight_input = view(results[1]),
         .dweight_hidden = view(results[2]),
         .dbias_input = view(results[3]),
         .dbias_hidden = view(results[4]),
         .dinitial_hidden = view(results[5]),
         .dinitial_cell = view(results[6])},
        std::span<const Tensor* const>(reads), std::span<const Tensor* const>(written));
    for (int i = 0; i < 7; ++i)
        if (g.wants(i)) g.dx(i) = std::move(results[static_cast<std::size_t>(i)]);
}

}  // namespace

RnnResult rnn(RnnCell cell, const Tensor& x, const RnnWeights& w, const RnnState& initial, const RnnOptions& options) {
    check_operands(cell, x, w, initial, options);
    const bool lstm = cell == RnnCell::lstm, gru = cell == RnnCell::gru;
    const std::int64_t units = w.hidden.size(1);
    const Shape steps{x.size(0), x.size(1), units}, gate_steps{x.size(0), x.size(1), w.hidden.size(0)},
        state{x.size(0), units};
    const TensorOptions cells{wide(x.dtype()), x.device()};
    Tensor y = Tensor::empty(steps, x.options()), hidden = Tensor::empty(state, x.options()), final_cell;
    const Tensor gates = Tensor::empty(gate_steps, x.options()), before = Tensor::empty(steps, x.options());
    Tensor cell_before, candidate;
    if (lstm) {
        final_cell = Tensor::empty(state, cells);
        cell_before = Tensor::empty(steps, cells);
    }
    if (gru) candidate = Tensor::empty(steps, x.options());
    run(kernels::rnn_forward(),
        {.cell = cell,
         .x = view(x),
         .weight_input = view(w.input),
         .weight_hidden = view(w.hidden),
         .bias_input = view(w.bias_input),
         .bias_hidden = view(w.bias_hidden),
         .initial_hidden = view(initial.hidden),
         .initial_cell = view(initial.cell),
         .lengths = view(options.lengths),
         .reverse = options.reverse,
         .y = view(y),
         .hidden = view(hidden),
         .final_cell = view(final_cell),
         .gates = view(gates),
         .previous_hidden = view(before),
         .previous_cell = view(cell_before),
         .candidate = view(candidate)},
        {&x, &w.input, &w.hidden, &w.bias_input, &w.bias_hidden, &initial.hidden, &initial.cell, &options.lengths},
        {&y, &hidden, &final_cell, &gates, &before, &cell_before, &candidate});

    if (!autograd::wants_record(
            {&x, &w.input, &w.hidden, &w.bias_input, &w.bias_hidden, &initial.hidden, &initial.cell}))
        return {y, {hidden, final_cell}};
    const std::array<const Tensor*, 7> inputs{
        &x, &w.input, &w.hidden, &w.bias_input, &w.bias_hidden, &initial.hidden, &initial.cell};
    std::array<Tensor, 3> outputs{y, hidden, final_cell};
    autograd::record(
        op, inputs, std::span(outputs).first(lstm ? 3 : 2),
        [kept = Kept{cell, options.reverse, Saved(x), Saved(w.input), Saved(w.hidden), options.lengths, Saved(gates),
                     Saved(before), Saved(cell_before), Saved(candidate)}](Gradients& g) { backward(kept, g); });
    return {outputs[0], {outputs[1], outputs[2]}};
}

}  // namespace heddle::ops
