#include "kernels/native_registry.h"
#include "kernels/rnn/native_persistent.h"

// All steps forward in one launch, behind one product for all inputs. A step needs the whole state of its rows, which
// goes through shared memory, in turns through one of two places: one barrier a step. What a step reads of the inputs'
// product it asks for before its own product, which takes about as long as memory.
//
// Floor of a launch: the steps one after another, each as native_persistent.h says; of memory, for each row, step and
// unit, the gates read and written and the states written: 2 * gates + 2 elements, and lstm's cell states in f32. With
// 64 rows and 256 units of an lstm that is 0.4 MB a step, 0.1 us for all of an H100, and no limit.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T>
struct ForwardSteps {
    const T *packed, *bias;  // bias may be null
    const std::int32_t* lengths;
    const T* initial_hidden;    // may be null
    const float* initial_cell;  // may be null
    T *gates, *candidate, *y, *previous_hidden, *hidden;
    float *previous_cell, *final_cell;
    int batch, time;
    bool reverse;
    PersistentLayout layout;
};

template <class T, class Form>
__global__ void __launch_bounds__(Form::threads, 1) rnn_forward_steps(const __grid_constant__ ForwardSteps<T> in) {
    constexpr RnnCell cell = Form::cell;
    constexpr int gates = Form::gates;
    HEDDLE_SHARED_DYNAMIC(T, shared);
    const PersistentLane lane;
    const int pitch = in.layout.pitch(1), tile = in.layout.tile(1);
    const std::int64_t units = in.layout.units, width = gates * units;
    const PersistentWeights<T, Form> weights(in.packed, in.layout, shared + 2 * tile);

    float hidden[2][2] = {}, memory[2][2] = {}, bias[gates][2];  // [row][unit]
    bool inside[2];
    int length[2];
    const auto pass_on = [&](T* states, int r) {
        store_pair(states, (lane.row + r) * pitch + lane.unit, hidden[r][0], hidden[r][1]);
    };
    HEDDLE_UNROLL
    for (int r = 0; r < 2; ++r) {
        const int row = lane.batch_row(r);
        inside[r] = row < in.batch && lane.unit < units;
        length[r] = inside[r] ? (in.lengths ? in.lengths[row] : in.time) : 0;
        const auto first = load_pair(in.initial_hidden, row * units + lane.unit, inside[r]);
        const auto first_cell = load_pair(in.initial_cell, row * units + lane.unit, inside[r]);
        HEDDLE_UNROLL
        for (int u = 0; u < 2; ++u) {
            hidden[r][u] = to_f32(first[u]);
            memory[r][u] = first_cell[u];
        }
        pass_on(shared, r);
    }
    HEDDLE_UNROLL
    for (int g = 0; g < gates; ++g) {
        const auto two = load_pair(in.bias, g * units + lane.unit, lane.unit < units);
        HEDDLE_UNROLL
        for (int u = 0; u < 2; ++u) bias[g][u] = to_f32(two[u]);
    }

    for (int s = 0; s < in.time; ++s) {
        const int t = in.reverse ? in.time - 1 - s : s;
        std::int64_t place[2];
        Vector<T, 2> of_inputs[2][gates];
        HEDDLE_UNROLL
        for (int r = 0; r < 2; ++r) {
            place[r] = static_cast<std::int64_t>(lane.batch_row(r)) * in.time + t;
            HEDDLE_UNROLL
            for (int g = 0; g < gates; ++g)
                of_inputs[r][g] = load_pair(in.gates, place[r] * width + g * units + lane.unit, inside[r]);
        }
        float of_states[gates][4];
        HEDDLE_UNROLL
        for (int g = 0; g < gates; ++g) {
            HEDDLE_UNROLL
            for (int e = 0; e < 4; ++e) of_states[g][e] = bias[g][e / 2];
        }
        __syncthreads();  // the state is there, and everyone is done with the one whose place the next one takes
        weights.template multiply<false>(of_states, shared + s % 2 * tile, pitch, in.layout.padded());

        HEDDLE_UNROLL
        for (int r = 0; r < 2; ++r) {
            const std::int64_t at = place[r] * units + lane.unit;
            const bool counts = t < length[r];
            if (inside[r]) {
                store_pair(in.previous_hidden, at, hidden[r][0], hidden[r][1]);
                if constexpr (cell == RnnCell::lstm) store_pair(in.previous_cell, at, memory[r][0], memory[r][1]);
            }
            float values[gates][2] = {}, candidate[2] = {}, y[2] = {};
            if (counts) {
                HEDDLE_UNROLL
                for (int u = 0; u < 2; ++u) {
                    float sums[gates], states[gates];
                    HEDDLE_UNROLL
                    for (int g = 0; g < gates; ++g) {
                        sums[g] = to_f32(of_inputs[r][g][u]);
                        states[g] = of_states[g][2 * u + r];
                    }
                    advance<cell, FastFunctions>(sums, states, hidden[r][u], memory[r][u]);
                    HEDDLE_UNROLL
                    for (int g = 0; g < gates; ++g) values[g][u] = sums[g];
                    if constexpr (cell == RnnCell::gru) candidate[u] = states[2];
                    y[u] = hidden[r][u];
                }
            }
            pass_on(shared + (s + 1) % 2 * tile, r);
            if (!inside[r]) continue;
            HEDDLE_UNROLL
            for (int g = 0; g < gates; ++g)
                store_pair(in.gates, place[r] * width + g * units + lane.unit, values[g][0], values[g][1]);
            if constexpr (cell == RnnCell::gru) store_pair(in.candidate, at, candidate[0], candidate[1]);
            store_pair(in.y, at, y[0], y[1]);
        }
    }
    HEDDLE_UNROLL
    for (int r = 0; r < 2; ++r) {
        const std::int64_t at = lane.batch_row(r) * units + lane.unit;
        if (!inside[r]) continue;
        store_pair(in.hidden, at, hidden[r][0], hidden[r][1]);
        if constexpr (cell == RnnCell::lstm) store_pair(in.final_cell, at, memory[r][0], memory[r][1]);
    }
}

Support supports(const RnnForward& args) {
    return persistent_supports(
        args, 1,
        {&args.weight_hidden, &args.bias_hidden, &args.initial_hidden, &args.initial_cell, &args.y, &args.hidden,
         &args.final_cell, &args.gates, &args.previous_hidden, &args.previous_cell, &args.candidate});
}

std::size_t workspace_bytes(const RnnForward& args) {
    const RnnExtents e(args);
    std::size_t bytes = 0;
    with_persistent_form(args.x.dtype, args.cell, e.units, [&](auto, auto form) {
        using Form = decltype(form);
        bytes = packed_bytes<Form>(persistent_layout<Form>(e, 1));
    });
    return bytes;
}

void run(const RnnForward& args, KernelContext& context) {
    project_inputs(args, context);
    const RnnExtents e(args);
    with_persistent_form(args.x.dtype, args.cell, e.units, [&](auto zero, auto form) {
        using T = decltype(zero);
        using Form = decltype(form);
        const PersistentLayout layout = persistent_layout<Form>(e, 1);
        T* const packed = static_cast<T*>(context.workspace);
        launch_pack<T, Form, false>(args.weight_hidden, packed, layout, context);
        const ForwardSteps<T> steps{.packed = packed,
                                    .bias = args.bias_hidden.as<const T>(),
                                    .lengths = e.lengths,
                                    .initial_hidden = args.initial_hidden.as<const T>(),
                                    .initial_cell = args.initial_cell.as<const float>(),
                                    .gates = args.gates.as<T>(),
                                    .candidate = args.candidate.as<T>(),
                                    .y = args.y.as<T>(),
                                    .previous_hidden = args.previous_hidden.as<T>(),
                                    .hidden = args.hidden.as<T>(),
                                    .previous_cell = args.previous_cell.as<float>(),
                                    .final_cell = args.final_cell.as<float>(),
                                    .batch = static_cast<int>(e.batch),
                                    .time = static_cast<int>(e.time),
                                    .reverse = e.reverse,
                                    .layout = layout};
        launch(rnn_forward_steps<T, Form>, persistent_grid(e), persistent_block(layout), shared_bytes<Form>(layout, 1),
               context, steps);
    });
}

}  // namespace

void register_rnn_persistent_forward() {
    rnn_forward().add({.name = "native_persistent",
                       .device = backend,
                       .priority = persistent_priority,
                       .supports = supports,
                       .workspace_bytes = workspace_bytes,
                       .run = run});
}

HEDDLE_KERNELS_END
