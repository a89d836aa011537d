#include "kernels/rnn/native_step.h"

// The inputs' product for all steps by matmul, then one launch per step, which can be captured in a graph. The floor
// of a step is its weights, gates * units * units elements, read from the L2 cache, and the launch itself.
HEDDLE_KERNELS_BEGIN
namespace {

/// The operands of one step; those of all steps from their first element on.
template <class T>
struct ForwardStep {
    const T *weights, *bias;  // bias may be null
    const std::int32_t* lengths;
    T *gates, *candidate, *y;
    const T* hidden_before;  // [batch, time, units]: what earlier steps have written
    const float* cell_before;
    T* hidden_after;  // rows `after_step` elements apart
    float* cell_after;
    std::int64_t after_step;
    int batch, time, units, t;
};

template <class T, RnnCell cell>
__global__ void __launch_bounds__(step_threads) rnn_forward_step(const __grid_constant__ ForwardStep<T> step) {
    constexpr int gates = static_cast<int>(gate_count(cell));
    const int first_row = static_cast<int>(blockIdx.y) * step_rows,
              first_unit = static_cast<int>(blockIdx.x) * step_units;
    const std::int64_t units = step.units;
    const auto place = [&](int row) { return static_cast<std::int64_t>(row) * step.time + step.t; };
    float of_states[gates] = {};
    multiply_step<false>(
        of_states, step.units,
        [&](int row, int k) {
            const bool inside = first_row + row < step.batch && k < step.units;
            return inside ? to_f32(step.hidden_before[place(first_row + row) * units + k]) : 0.0f;
        },
        [&](int gate, int unit, int k) {
            const bool inside = first_unit + unit < step.units && k < step.units;
            return inside ? to_f32(step.weights[(gate * units + first_unit + unit) * units + k]) : 0.0f;
        });
    const int row = first_row + static_cast<int>(threadIdx.y), unit = first_unit + static_cast<int>(threadIdx.x);
    if (row >= step.batch || unit >= step.units) return;

    const std::int64_t at = place(row) * units + unit;
    T* const gate_at = step.gates + place(row) * gates * units + unit;
    float hidden = to_f32(step.hidden_before[at]), memory = cell == RnnCell::lstm ? step.cell_before[at] : 0.0f;
    float sums[gates];
    const bool counts = !step.lengths || step.t < step.lengths[row];
    HEDDLE_UNROLL
    for (int g = 0; g < gates; ++g) {
        sums[g] = counts ? to_f32(gate_at[g * units]) : 0.0f;
        if (step.bias) of_states[g] += to_f32(step.bias[g * units + unit]);
    }
    if (counts) advance<cell>(sums, of_states, hidden, memory);
    HEDDLE_UNROLL
    for (int g = 0; g < gates; ++g) gate_at[g * units] = from_f32<T>(sums[g]);
    if constexpr (cell == RnnCell::gru) step.candidate[at] = from_f32<T>(counts ? of_states[2] : 0.0f);
    step.y[at] = from_f32<T>(counts ? hidden : 0.0f);
    step.hidden_after[row * step.after_step + unit] = from_f32<T>(hidden);
    if constexpr (cell == RnnCell::lstm) step.cell_after[row * step.after_step + unit] = memory;
}

template <class T, RnnCell cell>
void run_steps(const RnnForward& args, KernelContext& context) {
    const RnnExtents e(args);
    T* const states = args.previous_hidden.as<T>();
    float* const cells = args.previous_cell.as<float>();
    const std::int64_t row_step = e.time * e.units, first = e.step(0) * e.units;
    launch_place_state(args.initial_hidden.as<const T>(), states + first, e, row_step, context);
    if (cell == RnnCell::lstm)
        launch_place_state(args.initial_cell.as<const float>(), cells + first, e, row_step, context);
    for (std::int64_t s = 0; s < e.time; ++s) {
        const bool last = s + 1 == e.time;
        const std::int64_t next = last ? 0 : e.step(s + 1) * e.units;
        float* cell_after = nullptr;
        if (cell == RnnCell::lstm) cell_after = last ? args.final_cell.as<float>() : cells + next;
        const ForwardStep<T> step{.weights = args.weight_hidden.as<const T>(),
                                  .bias = args.bias_hidden.as<const T>(),
                                  .lengths = e.lengths,
                                  .gates = args.gates.as<T>(),
                                  .candidate = args.candidate.as<T>(),
                                  .y = args.y.as<T>(),
                                  .hidden_before = states,
                                  .cell_before = cells,
                                  .hidden_after = last ? args.hidden.as<T>() : states + next,
                                  .cell_after = cell_after,
                                  .after_step = last ? e.units : row_step,
                                  .batch = static_cast<int>(e.batch),
                                  .time = static_cast<int>(e.time),
                                  .units = static_cast<int>(e.units),
                                  .t = static_cast<int>(e.step(s))};
        launch(rnn_forward_step<T, cell>, step_grid(e), dim3(step_units, step_rows), 0, context, step);
    }
}

void run(const RnnForward& args, KernelContext& context) {
    project_inputs(args, context);
    with_floating(args.x.dtype, [&](auto zero) {
        with_cell(args.cell, [&](auto cell) { run_steps<decltype(zero), cell.value>(args, context); });
    });
}

}  // namespace

void register_rnn_forward() {
    rnn_forward().add({.name = "native",
                       .device = backend,
                       .priority = priority::plain,
                       .supports = [](const RnnForward& args) { return step_supports(args.x); },
                       .run = run});
}

HEDDLE_KERNELS_END
