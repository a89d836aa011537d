#include "kernels/native_registry.h"
#include "kernels/rnn/native_persistent.h"

// All steps forward in one launch, after one product for all inputs. A step needs the whole state of its rows, which is
// exchanged through two alternating buffers in shared memory, with one barrier per step. A step's part of the inputs'
// product is loaded while the functions of the previous step are computed, and its sums start from that.
//
// Floor of a launch: the steps one after another, each as in native_persistent.h. Memory, for each row, step and
// unit: the gates read and written and the states written, 2 * gates + 2 elements, and lstm's cell states in f32. With
// 64 rows and 256 units of an lstm that is 0.4 MB per step, 0.1 us at an H100's full rate, and no bottleneck.
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
    constexpr bool gru = cell == RnnCell::gru;
    constexpr int gates = Form::gates;
    HEDDLE_SHARED_DYNAMIC(T, shared);
    const PersistentLane lane;
    constexpr int pitch = Form::pitch, tile = Form::tile;
    const int units = in.layout.units, width = gates * units;
    const PersistentWeights<T, Form> weights(in.packed, in.layout, shared + 2 * tile);

    Pair<T> hidden[2];   // of a row
    float memory[2][2];  // [row][unit]
    int length[2];       // of a row; -1 outside
    const auto pass_on = [&](T* states, int r) { store_pair(states, (lane.row + r) * pitch + lane.unit, hidden[r]); };
    HEDDLE_UNROLL
    for (int r = 0; r < 2; ++r) {
        const int row = lane.batch_row(r);
        const bool inside = row < in.batch && lane.unit < units;
        length[r] = inside ? (in.lengths ? max(in.lengths[row], 0) : in.time) : -1;
        hidden[r] = load_pair(in.initial_hidden, row * units + lane.unit, inside);
        const auto cell_state = load_pair(in.initial_cell, row * units + lane.unit, inside);
        HEDDLE_UNROLL
        for (int u = 0; u < 2; ++u) memory[r][u] = cell_state[u];
        pass_on(shared, r);
    }

    Pair<T> of_inputs[2][gates];  // of a row and a gate
    const auto time_of = [&](int s) { return in.reverse ? in.time - 1 - s : s; };
    const auto load_inputs = [&](int s) {
        HEDDLE_UNROLL
        for (int r = 0; r < 2; ++r) {
            const int at = (lane.batch_row(r) * in.time + time_of(s)) * width + lane.unit;
            HEDDLE_UNROLL
            for (int g = 0; g < gates; ++g)
                of_inputs[r][g] = load_pair(in.gates, at + g * units, length[r] >= 0 && s < in.time);
        }
    };
    load_inputs(0);

    for (int s = 0; s < in.time; ++s) {
        const int t = time_of(s);
        // The sums start from the inputs' part, except for gru's last gate, which keeps the two parts separate.
        float sums[gates][4];
        HEDDLE_UNROLL
        for (int g = 0; g < gates; ++g) {
            const Pair<T> bias = load_pair(in.bias, g * units + lane.unit, lane.unit < units);
            HEDDLE_UNROLL
            for (int e = 0; e < 4; ++e) sums[g][e] = bias[e / 2] + (gru && g == 2 ? 0.0f : of_inputs[e % 2][g][e / 2]);
        }
        const Pair<T> of_candidate[2] = {of_inputs[0][gates - 1], of_inputs[1][gates - 1]};
        __syncthreads();  // the state is there, and everyone is done with the one whose place the next one takes
        weights.multiply(sums, shared + s % 2 * tile);
        load_inputs(s + 1);

        HEDDLE_UNROLL
        for (int r = 0; r < 2; ++r) {
            const int place = lane.batch_row(r) * in.time + t, at = place * units + lane.unit;
            const bool counts = t < length[r];
            if (length[r] >= 0) {
                store_pair(in.previous_hidden, at, hidden[r]);
                if constexpr (cell == RnnCell::lstm)
                    store_vector(in.previous_cell + at, Vector<float, 2>{{memory[r][0], memory[r][1]}});
            }
            float values[gates][2] = {}, candidate[2] = {}, state[2] = {hidden[r][0], hidden[r][1]};
            if (counts) {
                HEDDLE_UNROLL
                for (int u = 0; u < 2; ++u) {
                    float gate[gates] = {}, of_states[gates];
                    HEDDLE_UNROLL
                    for (int g = 0; g < gates; ++g) of_states[g] = sums[g][2 * u + r];
                    if constexpr (gru) gate[2] = of_candidate[r][u];
                    advance<cell, FastFunctions>(gate, of_states, state[u], memory[r][u]);
                    HEDDLE_UNROLL
                    for (int g = 0; g < gates; ++g) values[g][u] = gate[g];
                    if constexpr (gru) candidate[u] = of_states[2];
                }
                hidden[r] = Pair<T>(state[0], state[1]);
            }
            pass_on(shared + (s + 1) % 2 * tile, r);
            if (length[r] < 0) continue;
            HEDDLE_UNROLL
            for (int g = 0; g < gates; ++g)
                store_pair(in.gates, place * width + g * units + lane.unit, Pair<T>(values[g][0], values[g][1]));
            if constexpr (gru) store_pair(in.candidate, at, Pair<T>(candidate[0], candidate[1]));
            store_pair(in.y, at, counts ? hidden[r] : Pair<T>());
        }
    }
    HEDDLE_UNROLL
    for (int r = 0; r < 2; ++r) {
        const int at = lane.batch_row(r) * units + lane.unit;
        if (length[r] < 0) continue;
        store_pair(in.hidden, at, hidden[r]);
        if constexpr (cell == RnnCell::lstm)
            store_vector(in.final_cell + at, Vector<float, 2>{{memory[r][0], memory[r][1]}});
    }
}

Support supports(const RnnForward& args) {
    return persistent_supports<false>(
        args, {&args.weight_hidden, &args.bias_hidden, &args.initial_hidden, &args.initial_cell, &args.y, &args.hidden,
               &args.final_cell, &args.gates, &args.previous_hidden, &args.previous_cell, &args.candidate});
}

std::size_t workspace_bytes(const RnnForward& args) {
    const RnnExtents e(args);
    std::size_t bytes = 0;
    with_persistent_form<false>(args.x.dtype, args.cell, e.units, [&](auto, auto form) {
        using Form = decltype(form);
        bytes = packed_bytes<Form>(persistent_layout<Form>(e));
    });
    return bytes;
}

void run(const RnnForward& args, KernelContext& context) {
    project_inputs(args, context);
    const RnnExtents e(args);
    with_persistent_form<false>(args.x.dtype, args.cell, e.units, [&](auto zero, auto form) {
        using T = decltype(zero);
        using Form = decltype(form);
        const PersistentLayout layout = persistent_layout<Form>(e);
        T* const packed = static_cast<T*>(context.workspace);
        launch_pack<T, Form>(args.weight_hidden, packed, layout, context);
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
        launch(rnn_forward_steps<T, Form>, persistent_grid(e), persistent_block(layout), shared_bytes<Form>(layout),
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
