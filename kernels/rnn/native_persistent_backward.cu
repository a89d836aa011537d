#include "kernels/native_registry.h"
#include "kernels/rnn/native_persistent.h"

// All steps backward in one launch. The gradients of the gates' sums of the following step are multiplied by V, whose
// transpose stays on the chip, and added to the state's gradient, from which the step's own are computed. They are
// exchanged through two alternating buffers in shared memory, with one barrier per step, and written to memory for the
// products that give the gradients of weights, biases and x. A step issues its loads before its product.
//
// Floor of a launch: the steps one after another, each as in native_persistent.h, except that every warp loads the
// gradients of all gates from shared memory (lstm 128: 64 KB, 512 cycles, overlapping the products), and that an lstm
// computes one function instead of five. Memory, for each row, step and unit: the gates, dy and the cell's operands are
// read, the gradients of `gates` sums written (for gru twice).
HEDDLE_KERNELS_BEGIN
namespace {

template <class T>
struct BackwardSteps {
    const T* packed;
    const std::int32_t* lengths;
    const T *gates, *previous_hidden, *candidate;
    const T *dy, *dhidden;  // may be null
    const float* previous_cell;
    const float* dfinal_cell;  // may be null
    T *of_inputs, *of_states;  // the gradients of W x + b, and for gru those of V h + d
    T* dinitial_hidden;        // may be null
    float* dinitial_cell;      // may be null
    int batch, time;
    bool reverse;
    PersistentLayout layout;
};

template <class T, class Form>
__global__ void __launch_bounds__(Form::threads, 1) rnn_backward_steps(const __grid_constant__ BackwardSteps<T> in) {
    constexpr RnnCell cell = Form::cell;
    constexpr int gates = Form::gates;
    HEDDLE_SHARED_DYNAMIC(T, shared);
    const PersistentLane lane;
    constexpr int pitch = Form::pitch, tile = Form::tile;
    const int units = in.layout.units, width = gates * units;
    const PersistentWeights<T, Form> weights(in.packed, in.layout, shared + 2 * tile);

    float dhidden[2][2], dmemory[2][2];  // [row][unit], of the state behind the step, but for what goes through V
    int length[2];                       // of a row; -1 outside
    HEDDLE_UNROLL
    for (int r = 0; r < 2; ++r) {
        const int row = lane.batch_row(r);
        const bool inside = row < in.batch && lane.unit < units;
        length[r] = inside ? (in.lengths ? max(in.lengths[row], 0) : in.time) : -1;
        const auto last = load_pair(in.dhidden, row * units + lane.unit, inside);
        const auto last_cell = load_pair(in.dfinal_cell, row * units + lane.unit, inside);
        HEDDLE_UNROLL
        for (int u = 0; u < 2; ++u) {
            dhidden[r][u] = last[u];
            dmemory[r][u] = last_cell[u];
        }
    }

    // After the first step, as s = -1, only the product remains.
    for (int s = in.time - 1; s >= -1; --s) {
        const int t = in.reverse ? in.time - 1 - s : s;
        int place[2];
        Pair<T> of_gates[2][gates], dy[2], before[2], candidate[2];
        Vector<float, 2> cell_before[2];
        HEDDLE_UNROLL
        for (int r = 0; r < 2; ++r) {
            place[r] = lane.batch_row(r) * in.time + t;
            const int at = place[r] * units + lane.unit;
            const bool counts = s >= 0 && t < length[r];
            HEDDLE_UNROLL
            for (int g = 0; g < gates; ++g)
                of_gates[r][g] = load_pair(in.gates, place[r] * width + g * units + lane.unit, counts);
            dy[r] = load_pair(in.dy, at, counts);
            if constexpr (cell == RnnCell::gru) {
                before[r] = load_pair(in.previous_hidden, at, counts);
                candidate[r] = load_pair(in.candidate, at, counts);
            }
            if constexpr (cell == RnnCell::lstm) cell_before[r] = load_pair(in.previous_cell, at, counts);
        }
        if (s + 1 < in.time) {
            float through[2][4] = {};
            __syncthreads();  // the gradients are there, and everyone is done with those whose place the next ones take
            weights.multiply(through, shared + (s + 1) % 2 * tile);
            HEDDLE_UNROLL
            for (int e = 0; e < 4; ++e) dhidden[e % 2][e / 2] += through[0][e] + through[1][e];
        }
        if (s < 0) break;

        HEDDLE_UNROLL
        for (int r = 0; r < 2; ++r) {
            float sums_inputs[gates][2] = {}, sums_states[gates][2] = {};
            if (t < length[r]) {
                HEDDLE_UNROLL
                for (int u = 0; u < 2; ++u) {
                    float gate[gates], of_inputs[gates], of_states[gates];
                    HEDDLE_UNROLL
                    for (int g = 0; g < gates; ++g) gate[g] = of_gates[r][g][u];
                    const float d = dhidden[r][u] + dy[r][u];
                    retreat<cell, FastFunctions>(gate, cell == RnnCell::gru ? before[r][u] : 0.0f,
                                                 cell == RnnCell::lstm ? cell_before[r][u] : 0.0f,
                                                 cell == RnnCell::gru ? candidate[r][u] : 0.0f, d, of_inputs, of_states,
                                                 dhidden[r][u], dmemory[r][u]);
                    HEDDLE_UNROLL
                    for (int g = 0; g < gates; ++g) {
                        sums_inputs[g][u] = of_inputs[g];
                        sums_states[g][u] = of_states[g];
                    }
                }
            }
            T* const row = shared + s % 2 * tile + (lane.row + r) * pitch;
            HEDDLE_UNROLL
            for (int g = 0; g < gates; ++g)
                store_pair(row, g * Form::units + lane.unit, Pair<T>(sums_states[g][0], sums_states[g][1]));
            if (length[r] < 0) continue;
            HEDDLE_UNROLL
            for (int g = 0; g < gates; ++g) {
                const int at = place[r] * width + g * units + lane.unit;
                store_pair(in.of_inputs, at, Pair<T>(sums_inputs[g][0], sums_inputs[g][1]));
                if constexpr (cell == RnnCell::gru)
                    store_pair(in.of_states, at, Pair<T>(sums_states[g][0], sums_states[g][1]));
            }
        }
    }
    HEDDLE_UNROLL
    for (int r = 0; r < 2; ++r) {
        const int at = lane.batch_row(r) * units + lane.unit;
        if (length[r] < 0) continue;
        if (in.dinitial_hidden) store_pair(in.dinitial_hidden, at, Pair<T>(dhidden[r][0], dhidden[r][1]));
        if (cell == RnnCell::lstm && in.dinitial_cell)
            store_vector(in.dinitial_cell + at, Vector<float, 2>{{dmemory[r][0], dmemory[r][1]}});
    }
}

/// Where things stand in the workspace, in bytes.
template <class Form>
struct PersistentMemory {
    std::size_t of_states, packed, bytes;

    PersistentMemory(const RnnBackward& args, const PersistentLayout& layout) {
        const auto elements = static_cast<std::size_t>(args.gates.elements());
        const std::size_t sums = (elements * size_of(args.gates.dtype) + 255) / 256 * 256;
        of_states = Form::cell == RnnCell::gru ? sums : 0;
        packed = of_states + sums;
        bytes = packed + packed_bytes<Form>(layout);
    }
};

Support supports(const RnnBackward& args) {
    return persistent_supports<true>(
        args, {&args.weight_hidden, &args.gates, &args.previous_hidden, &args.previous_cell, &args.candidate, &args.dy,
               &args.dhidden, &args.dfinal_cell, &args.dinitial_hidden, &args.dinitial_cell});
}

std::size_t workspace_bytes(const RnnBackward& args) {
    const RnnExtents e(args);
    std::size_t bytes = 0;
    with_persistent_form<true>(args.x.dtype, args.cell, e.units, [&](auto, auto form) {
        using Form = decltype(form);
        bytes = PersistentMemory<Form>(args, persistent_layout<Form>(e)).bytes;
    });
    return bytes;
}

void run(const RnnBackward& args, KernelContext& context) {
    const RnnExtents e(args);
    with_persistent_form<true>(args.x.dtype, args.cell, e.units, [&](auto zero, auto form) {
        using T = decltype(zero);
        using Form = decltype(form);
        const PersistentLayout layout = persistent_layout<Form>(e);
        const PersistentMemory<Form> memory(args, layout);
        auto* const start = static_cast<std::byte*>(context.workspace);
        T* const packed = reinterpret_cast<T*>(start + memory.packed);
        launch_pack<T, Form>(args.weight_hidden, packed, layout, context);
        const BackwardSteps<T> steps{.packed = packed,
                                     .lengths = e.lengths,
                                     .gates = args.gates.as<const T>(),
                                     .previous_hidden = args.previous_hidden.as<const T>(),
                                     .candidate = args.candidate.as<const T>(),
                                     .dy = args.dy.as<const T>(),
                                     .dhidden = args.dhidden.as<const T>(),
                                     .previous_cell = args.previous_cell.as<const float>(),
                                     .dfinal_cell = args.dfinal_cell.as<const float>(),
                                     .of_inputs = reinterpret_cast<T*>(start),
                                     .of_states = reinterpret_cast<T*>(start + memory.of_states),
                                     .dinitial_hidden = args.dinitial_hidden.as<T>(),
                                     .dinitial_cell = args.dinitial_cell.as<float>(),
                                     .batch = static_cast<int>(e.batch),
                                     .time = static_cast<int>(e.time),
                                     .reverse = e.reverse,
                                     .layout = layout};
        launch(rnn_backward_steps<T, Form>, persistent_grid(e), persistent_block(layout), shared_bytes<Form>(layout),
               context, steps);
        const Shape& sums = args.gates.shape;
        finish_gradients(args, View(steps.of_inputs, sums, args.x.dtype), View(steps.of_states, sums, args.x.dtype),
                         context);
    });
}

}  // namespace

void register_rnn_persistent_backward() {
    rnn_backward().add({.name = "native_persistent",
                        .device = backend,
                        .priority = persistent_priority,
                        .supports = supports,
                        .workspace_bytes = workspace_bytes,
                        .run = run});
}

HEDDLE_KERNELS_END
