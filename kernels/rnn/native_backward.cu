#include "kernels/rnn/native_step.h"

// One launch per step, from the last to the first: the gradients of the following step's sums are multiplied by V and
// added to the state's gradient, from which the step's own are computed. Products over all steps give those of weights,
// biases and x. The floor of a step is that of the forward pass.
HEDDLE_KERNELS_BEGIN
namespace {

/// The operands of one step; those of all steps from their first element on.
template <class T>
struct BackwardStep {
    const T* weights;
    const std::int32_t* lengths;
    const T *gates, *previous_hidden, *candidate, *dy;  // dy may be null
    const float* previous_cell;
    T *of_inputs, *of_states;  // the gradients of W x + b and V h + d
    float *dhidden, *dmemory;  // [batch, units]: of the state behind the step, but for what goes through V; then before
    T* dinitial;               // [batch, units]: written at the end, where `t` is -1
    int batch, time, units, t;
    int behind;  // the time of the step that was taken behind this one; -1: none
};

template <class T, RnnCell cell>
__global__ void __launch_bounds__(step_threads) rnn_backward_step(const __grid_constant__ BackwardStep<T> step) {
    constexpr int gates = static_cast<int>(gate_count(cell));
    const int first_row = static_cast<int>(blockIdx.y) * step_rows,
              first_unit = static_cast<int>(blockIdx.x) * step_units;
    const std::int64_t units = step.units;
    const int width = gates * step.units;
    float through[1] = {};
    if (step.behind >= 0)
        multiply_step<true>(
            through, width,
            [&](int row, int k) {
                const std::int64_t place = static_cast<std::int64_t>(first_row + row) * step.time + step.behind;
                return first_row + row < step.batch && k < width ? to_f32(step.of_states[place * width + k]) : 0.0f;
            },
            [&](int, int unit, int k) {
                const bool inside = first_unit + unit < step.units && k < width;
                return inside ? to_f32(step.weights[k * units + first_unit + unit]) : 0.0f;
            });
    const int row = first_row + static_cast<int>(threadIdx.y), unit = first_unit + static_cast<int>(threadIdx.x);
    if (row >= step.batch || unit >= step.units) return;

    const std::int64_t state = row * units + unit;
    float d = step.dhidden[state] + through[0];
    if (step.t < 0) {
        step.dinitial[state] = from_f32<T>(d);
        return;
    }
    const std::int64_t place = static_cast<std::int64_t>(row) * step.time + step.t, at = place * units + unit;
    float gate[gates], of_inputs[gates] = {}, of_states[gates] = {}, dhidden = d;
    if (!step.lengths || step.t < step.lengths[row]) {
        if (step.dy) d += to_f32(step.dy[at]);
        HEDDLE_UNROLL
        for (int g = 0; g < gates; ++g) gate[g] = to_f32(step.gates[place * width + g * units + unit]);
        const float before = cell == RnnCell::gru ? to_f32(step.previous_hidden[at]) : 0.0f,
                    candidate = cell == RnnCell::gru ? to_f32(step.candidate[at]) : 0.0f,
                    cell_before = cell == RnnCell::lstm ? step.previous_cell[at] : 0.0f;
        float dmemory = cell == RnnCell::lstm ? step.dmemory[state] : 0.0f;
        retreat<cell>(gate, before, cell_before, candidate, d, of_inputs, of_states, dhidden, dmemory);
        if constexpr (cell == RnnCell::lstm) step.dmemory[state] = dmemory;
    }
    step.dhidden[state] = dhidden;
    HEDDLE_UNROLL
    for (int g = 0; g < gates; ++g) {
        step.of_inputs[place * width + g * units + unit] = from_f32<T>(of_inputs[g]);
        if constexpr (cell == RnnCell::gru)
            step.of_states[place * width + g * units + unit] = from_f32<T>(of_states[g]);
    }
}

/// Where things stand in the workspace, in bytes.
struct BackwardMemory {
    std::size_t of_states = 0, dhidden = 0, dmemory = 0, bytes = 0;

    explicit BackwardMemory(const RnnBackward& args) {
        const RnnExtents e(args);
        const auto piece = [](std::int64_t elements, std::size_t size) {
            return (static_cast<std::size_t>(elements) * size + 255) / 256 * 256;
        };
        const std::size_t sums = piece(e.batch * e.time * e.width, size_of(args.x.dtype)),
                          state = piece(e.batch * e.units, sizeof(float));
        of_states = args.cell == RnnCell::gru ? sums : 0;
        dhidden = of_states + sums;
        dmemory = dhidden + state;
        bytes = dmemory + state;
    }
};

template <class T, RnnCell cell>
void run_steps(const RnnBackward& args, KernelContext& context) {
    const RnnExtents e(args);
    const BackwardMemory memory(args);
    auto* const start = static_cast<std::byte*>(context.workspace);
    BackwardStep<T> step{.weights = args.weight_hidden.as<const T>(),
                         .lengths = e.lengths,
                         .gates = args.gates.as<const T>(),
                         .previous_hidden = args.previous_hidden.as<const T>(),
                         .candidate = args.candidate.as<const T>(),
                         .dy = args.dy.as<const T>(),
                         .previous_cell = args.previous_cell.as<const float>(),
                         .of_inputs = reinterpret_cast<T*>(start),
                         .of_states = reinterpret_cast<T*>(start + memory.of_states),
                         .dhidden = reinterpret_cast<float*>(start + memory.dhidden),
                         .dmemory = args.dinitial_cell ? args.dinitial_cell.as<float>()
                                                       : reinterpret_cast<float*>(start + memory.dmemory),
                         .dinitial = args.dinitial_hidden.as<T>(),
                         .batch = static_cast<int>(e.batch),
                         .time = static_cast<int>(e.time),
                         .units = static_cast<int>(e.units),
                         .t = -1,
                         .behind = -1};
    launch_place_state(args.dhidden.as<const T>(), step.dhidden, e, e.units, context);
    if (cell == RnnCell::lstm)
        launch_place_state(args.dfinal_cell.as<const float>(), step.dmemory, e, e.units, context);
    for (std::int64_t s = e.time; s-- > 0;) {
        step.t = static_cast<int>(e.step(s));
        launch(rnn_backward_step<T, cell>, step_grid(e), dim3(step_units, step_rows), 0, context, step);
        step.behind = step.t;
    }
    step.t = -1;
    if (args.dinitial_hidden)
        launch(rnn_backward_step<T, cell>, step_grid(e), dim3(step_units, step_rows), 0, context, step);
    const Shape& sums = args.gates.shape;
    finish_gradients(args, View(step.of_inputs, sums, args.x.dtype), View(step.of_states, sums, args.x.dtype), context);
}

void run(const RnnBackward& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        with_cell(args.cell, [&](auto cell) { run_steps<decltype(zero), cell.value>(args, context); });
    });
}

}  // namespace

void register_rnn_backward() {
    rnn_backward().add({.name = "native",
                        .device = backend,
                        .priority = priority::plain,
                        .supports = [](const RnnBackward& args) { return step_supports(args.x); },
                        .workspace_bytes = [](const RnnBackward& args) { return BackwardMemory(args).bytes; },
                        .run = run});
}

HEDDLE_KERNELS_END
