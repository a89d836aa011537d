#pragma once

#include "kernels/native_registry.h"
#include "kernels/rnn/native_cell.h"
#include "kernels/rnn/products.h"
#include "kernels/simt/native.h"

// A recurrent step on a GPU, forward and backward, is one launch. A block has `step_rows` rows of the batch and
// `step_units` units, and multiplies the state (backward: the gates' gradients) by its part of the weights; a thread
// computes one unit of one row from the sums.
HEDDLE_KERNELS_BEGIN

inline constexpr int step_rows = 32, step_units = 8, step_threads = step_rows * step_units;
inline constexpr int slab = 32;            // terms of the sums that are in shared memory at a time
inline constexpr int slab_row = slab + 4;  // 16 bytes more: vectors of eight neighbouring rows meet different banks

/// Blocks (step_units, step_rows) that cover all units and rows.
inline dim3 step_grid(const RnnExtents& e) {
    return dim3(static_cast<unsigned>((e.units + step_units - 1) / step_units),
                static_cast<unsigned>((e.batch + step_rows - 1) / step_rows));
}
inline Support step_supports(const View& x) {
    if (x.shape[0] > std::int64_t{65535} * step_rows) return Support::no("more than 2 million rows");
    return floating(x.dtype);
}

/// sum[p] += the sum over k < terms of a(row, k) * b(p, unit, k), for the thread's row and unit of the block. All
/// threads must call it. `a` and `b` are asked for every k below the next multiple of `slab`; neighbouring threads ask
/// for neighbouring k, or of `b` for neighbouring units (`along_units`).
template <bool along_units, int products, class A, class B>
__device__ inline void multiply_step(float (&sum)[products], int terms, const A& a, const B& b) {
    constexpr int columns = products * step_units;
    HEDDLE_SHARED(float, of_rows, [step_rows][slab_row]);
    HEDDLE_SHARED(float, of_columns, [columns][slab_row]);
    const int thread = static_cast<int>(threadIdx.y) * step_units + static_cast<int>(threadIdx.x);
    for (int first = 0; first < terms; first += slab) {
        __syncthreads();  // the former slab has been read
        HEDDLE_UNROLL
        for (int i = thread; i < step_rows * slab; i += step_threads)
            of_rows[i / slab][i % slab] = a(i / slab, first + i % slab);
        HEDDLE_UNROLL
        for (int i = thread; i < columns * slab; i += step_threads) {
            const int column = along_units ? i % columns : i / slab, k = along_units ? i / columns : i % slab;
            of_columns[column][k] = b(column / step_units, column % step_units, first + k);
        }
        __syncthreads();
        HEDDLE_UNROLL
        for (int k = 0; k < slab; k += 4) {
            const Vector<float, 4> x = load_vector<4>(&of_rows[threadIdx.y][k]);
            HEDDLE_UNROLL
            for (int p = 0; p < products; ++p) {
                const Vector<float, 4> w =
                    load_vector<4>(&of_columns[p * step_units + static_cast<int>(threadIdx.x)][k]);
                HEDDLE_UNROLL
                for (int j = 0; j < 4; ++j) sum[p] += x[j] * w[j];
            }
        }
    }
}

/// to = from, or 0 where that is null; rows of `units` elements, `step` apart in `to`.
template <class From, class To>
__global__ void place_state(const From* from, To* to, std::int64_t rows, std::int64_t units, std::int64_t step) {
    const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < rows * units;
         i += threads)
        to[i / units * step + i % units] = from_f32<To>(from ? to_f32(from[i]) : 0.0f);
}

template <class From, class To>
void launch_place_state(const From* from, To* to, const RnnExtents& e, std::int64_t step, KernelContext& context) {
    launch(place_state<From, To>, dim3(blocks_for(e.batch * e.units, step_threads)), dim3(step_threads), 0, context,
           from, to, e.batch, e.units, step);
}

HEDDLE_KERNELS_END
