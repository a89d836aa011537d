#pragma once

#include <algorithm>

#include "kernels/simt/simt.h"

// Sums over the rows of [rows, columns], such as a bias's gradient. Blocks sum chunks of rows, a second kernel adds the
// chunks; the order of the additions depends on the shape alone.
HEDDLE_KERNELS_BEGIN

/// What `sum_columns` reads and, where it masks, writes.
template <class T>
struct ColumnSource {
    const T* dy;
    const T* y;  ///< null, or only dy where y > 0 counts
    T* masked;   ///< null, or where what counts is stored
};

/// How the work is cut: blocks of 256 threads, `across` of them side by side.
struct ColumnPlan {
    static constexpr int threads = 256;
    std::int64_t rows;
    int columns, width, across, groups;  ///< groups of across * width columns
    std::int64_t chunk_rows, chunks;

    /// `width`: columns of a thread, which divide the number of columns.
    ColumnPlan(std::int64_t row_count, std::int64_t column_count, int column_width)
        : rows(row_count), columns(static_cast<int>(column_count)), width(column_width) {
        const std::int64_t vectors = column_count / width;
        across = 1;
        while (across < vectors && across < warp_size) across *= 2;
        groups = static_cast<int>((vectors + across - 1) / across);
        // Enough chunks to fill the GPU; long enough that adding them costs little.
        const std::int64_t down = threads / across;
        const std::int64_t wanted = std::clamp<std::int64_t>(4 * 132 / std::max(groups, 1), 1, 512);
        chunk_rows = std::max((rows + wanted - 1) / wanted, 8 * down);
        chunks = (rows + chunk_rows - 1) / chunk_rows;
    }

    std::size_t workspace_bytes() const { return static_cast<std::size_t>(chunks * columns) * sizeof(float); }
};

/// Adds `sums` over threadIdx.y, of which there is a power of two; the result is for the threads with threadIdx.y = 0.
/// All threads must call it; `shared` has `width` floats for each. Begins with a barrier, so calls may follow each
/// other.
template <int width>
__device__ inline void sum_down(Vector<float, width>& sums, float* shared) {
    const int across = static_cast<int>(blockDim.x), down = static_cast<int>(blockDim.y);
    const int thread = static_cast<int>(threadIdx.y) * across + static_cast<int>(threadIdx.x);
    float* const mine = shared + thread * width;
    __syncthreads();  // a former call's readers are done
    HEDDLE_UNROLL
    for (int e = 0; e < width; ++e) mine[e] = sums[e];
    for (int half = down / 2; half > 0; half /= 2) {
        __syncthreads();
        if (static_cast<int>(threadIdx.y) < half) {
            HEDDLE_UNROLL
            for (int e = 0; e < width; ++e) mine[e] += mine[half * across * width + e];
        }
    }
    HEDDLE_UNROLL
    for (int e = 0; e < width; ++e) sums[e] = mine[e];
}

/// Floor: dy (and y) read, masked written, once.
template <class T, int width>
__global__ void __launch_bounds__(ColumnPlan::threads)
    sum_columns(ColumnSource<T> source, float* partial, std::int64_t rows, int columns, std::int64_t chunk_rows) {
    HEDDLE_SHARED(float, shared, [ColumnPlan::threads * width]);
    const int down = static_cast<int>(blockDim.y);
    const int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * width;
    const std::int64_t first = blockIdx.y * chunk_rows;
    const std::int64_t last = first + chunk_rows < rows ? first + chunk_rows : rows;
    Vector<float, width> sums{};
    if (column < columns)
#pragma unroll 4
        for (std::int64_t row = first + threadIdx.y; row < last; row += down) {
            const std::int64_t offset = row * columns + column;
            auto value = load_vector<width>(source.dy + offset);
            if (source.y) {
                const auto y = load_vector<width>(source.y + offset);
                HEDDLE_UNROLL
                for (int e = 0; e < width; ++e)
                    if (!(to_f32(y[e]) > 0)) value[e] = from_f32<T>(0);
            }
            if (source.masked) store_vector(source.masked + offset, value);
            HEDDLE_UNROLL
            for (int e = 0; e < width; ++e) sums[e] += to_f32(value[e]);
        }
    if (!partial) return;
    sum_down(sums, shared);
    if (threadIdx.y == 0 && column < columns) {
        HEDDLE_UNROLL
        for (int e = 0; e < width; ++e) partial[blockIdx.y * static_cast<std::int64_t>(columns) + column + e] = sums[e];
    }
}

/// One block of a warp's width by 8 for 32 columns. Floor: chunks * columns floats read.
template <class T>
__global__ void __launch_bounds__(ColumnPlan::threads)
    add_column_chunks(const float* partial, T* sums, std::int64_t chunks, std::int64_t columns) {
    constexpr int down = ColumnPlan::threads / warp_size;
    HEDDLE_SHARED(float, shared, [down][warp_size]);
    const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * warp_size + threadIdx.x;
    float sum = 0;
    if (column < columns)
        for (std::int64_t chunk = threadIdx.y; chunk < chunks; chunk += down) sum += partial[chunk * columns + column];
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || column >= columns) return;
    HEDDLE_UNROLL
    for (int lane = 1; lane < down; ++lane) sum += shared[lane][threadIdx.x];
    sums[column] = from_f32<T>(sum);
}

template <class T>
void launch_add_chunks(const float* partial, T* sums, std::int64_t chunks, std::int64_t columns,
                       const KernelContext& context) {
    launch(add_column_chunks<T>, dim3(static_cast<unsigned>((columns + warp_size - 1) / warp_size)),
           dim3(warp_size, ColumnPlan::threads / warp_size), 0, context, partial, sums, chunks, columns);
}

/// The columns of a thread: 16 bytes where all operands and the number of columns allow it.
template <class T>
int column_width(const ColumnSource<T>& source, std::int64_t columns) {
    const bool vectors =
        columns % vector_width<T> == 0 && is_aligned(source.dy) && is_aligned(source.y) && is_aligned(source.masked);
    return vectors ? vector_width<T> : 1;
}

/// `sums` [columns] or null; `partial`: workspace of the plan.
template <class T>
void launch_column_sums(const ColumnSource<T>& source, T* sums, const ColumnPlan& plan, float* partial,
                        const KernelContext& context) {
    const auto kernel = plan.width == 1 ? sum_columns<T, 1> : sum_columns<T, vector_width<T>>;
    const auto across = static_cast<unsigned>(plan.across);
    launch(kernel, dim3(static_cast<unsigned>(plan.groups), static_cast<unsigned>(plan.chunks)),
           dim3(across, ColumnPlan::threads / across), 0, context, source, sums ? partial : nullptr, plan.rows,
           plan.columns, plan.chunk_rows);
    if (sums) launch_add_chunks(partial, sums, plan.chunks, plan.columns, context);
}

HEDDLE_KERNELS_END
