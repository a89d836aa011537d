#pragma once

#include "kernels/reduce/native_operators.h"
#include "kernels/simt/columns.h"
#include "kernels/simt/groups.h"
#include "kernels/view.h"

// The kernels of native.cu. Each reads x once: the floor is its bytes. Where an output has too many elements for one
// group of threads, the elements are split; `partial`, where it is not null, then takes the sums of the splits instead
// of y, and a second launch reduces those.
HEDDLE_KERNELS_BEGIN
namespace {

/// Some axes of x walked as one: what `Walk` is on the host.
struct Axes {
    int rank = 0;
    std::int64_t extent[Shape::max_rank] = {}, stride[Shape::max_rank] = {};
    std::int64_t count = 1;
};

__device__ inline std::int64_t offset_in(const Axes& axes, std::int64_t linear) {
    if (axes.rank == 1) return linear * axes.stride[0];
    std::int64_t offset = 0;
    if (axes.count <= std::numeric_limits<std::uint32_t>::max()) {
        auto rest = static_cast<std::uint32_t>(linear);
        for (int axis = axes.rank - 1; axis >= 0; --axis) {
            const auto extent = static_cast<std::uint32_t>(axes.extent[axis]);
            offset += rest % extent * axes.stride[axis];
            rest /= extent;
        }
        return offset;
    }
    for (int axis = axes.rank - 1; axis >= 0; --axis) {
        offset += linear % axes.extent[axis] * axes.stride[axis];
        linear /= axes.extent[axis];
    }
    return offset;
}

constexpr int block_threads = 256;
constexpr int rows_per_group = 4;  // loads under way at once

/// Rows that lie dense and are short: `width` lanes a row, each group has four rows. V: elements per load.
template <class T, class Out, class Op, int V>
__global__ void reduce_short_rows(const T* x, Out* y, std::int64_t rows, int length, int width, float divisor) {
    const Op op;
    const int lane = static_cast<int>(threadIdx.x) % width, groups = block_threads / width;
    const std::int64_t first =
        static_cast<std::int64_t>(blockIdx.x) * groups * rows_per_group + static_cast<int>(threadIdx.x) / width;
    Accumulator<T> value[rows_per_group];
    HEDDLE_UNROLL
    for (int r = 0; r < rows_per_group; ++r) value[r] = Op::identity;
    for (int i = lane * V; i < length; i += width * V) {
        HEDDLE_UNROLL
        for (int r = 0; r < rows_per_group; ++r) {
            const std::int64_t row = first + r * groups;
            if (row >= rows) continue;
            const Vector<T, V> loaded = load_vector<V>(x + row * length + i);
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) value[r] = op(value[r], widen(loaded[v]));
        }
    }
    HEDDLE_UNROLL
    for (int r = 0; r < rows_per_group; ++r) {
        const std::int64_t row = first + r * groups;
        value[r] = reduce_group(value[r], op, width);
        if (lane == 0 && row < rows) y[row] = finished<Out>(value[r], divisor);
    }
}

/// Rows that lie dense and are long: a block a row, or a block each `chunk` elements of it. Loads are of 16 bytes
/// between the row's first and last address that is aligned to them.
template <class T, class Op>
__global__ void reduce_long_rows(const T* x, Accumulator<T>* partial, T* y, std::int64_t length, std::int64_t chunk,
                                 float divisor) {
    constexpr int V = vector_width<T>;
    const Op op;
    const std::int64_t start = blockIdx.y * chunk;
    const std::int64_t count = start + chunk < length ? chunk : length - start;
    x += blockIdx.x * length + start;
    const auto misaligned = static_cast<int>(reinterpret_cast<std::uintptr_t>(x) % 16 / sizeof(T));
    std::int64_t head = misaligned > 0 ? V - misaligned : 0;
    head = head < count ? head : count;
    const std::int64_t vectors = (count - head) / V, tail = head + vectors * V;
    const int thread = static_cast<int>(threadIdx.x);

    Accumulator<T> value[V];
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) value[v] = Op::identity;
    if (thread < head) value[0] = op(value[0], widen(x[thread]));
    if (thread < count - tail) value[0] = op(value[0], widen(x[tail + thread]));
    const T* body = x + head;
#pragma unroll 4
    for (std::int64_t i = thread; i < vectors; i += block_threads) {
        const Vector<T, V> loaded = load_vector<V>(body + i * V);
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) value[v] = op(value[v], widen(loaded[v]));
    }
    HEDDLE_UNROLL
    for (int half = V / 2; half > 0; half /= 2) {
        HEDDLE_UNROLL
        for (int v = 0; v < half; ++v) value[v] = op(value[v], value[v + half]);
    }
    const Accumulator<T> total = block_reduce(value[0], op, Op::identity);
    if (thread != 0) return;
    if (partial)
        partial[static_cast<std::int64_t>(blockIdx.x) * gridDim.y + blockIdx.y] = total;
    else
        y[blockIdx.x] = finished<T>(total, divisor);
}

/// Matrices whose columns are reduced: one at each place of `kept`, with rows at the places of `reduced` and
/// `tiles.units` vectors of V columns. `partial` is [splits, matrices, columns].
template <class T, class Out, class Op, int V>
__global__ void reduce_columns(const T* x, Accumulator<T>* partial, Out* y, ColumnTiles tiles, Axes kept, Axes reduced,
                               float divisor) {
    constexpr int batch = 4;  // loads under way at once
    const Op op;
    const std::int64_t matrix = blockIdx.x / tiles.tiles;
    const ColumnPlace place = column_place(tiles, blockIdx.x % tiles.tiles, blockIdx.y);
    x += offset_in(kept, matrix) + place.unit * V;
    Accumulator<T> value[V];
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) value[v] = Op::identity;
    std::int64_t row = place.first;
    for (; row + (batch - 1) * tiles.lanes < place.last; row += batch * tiles.lanes) {
        Vector<T, V> loaded[batch];
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) loaded[i] = load_vector<V>(x + offset_in(reduced, row + i * tiles.lanes));
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) {
            const auto first = op(widen(loaded[0][v]), widen(loaded[1][v]));
            value[v] = op(value[v], op(first, op(widen(loaded[2][v]), widen(loaded[3][v]))));
        }
    }
    for (; row < place.last; row += tiles.lanes) {
        const Vector<T, V> loaded = load_vector<V>(x + offset_in(reduced, row));
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) value[v] = op(value[v], widen(loaded[v]));
    }
    reduce_lanes(value, tiles, place, op);
    if (!place.leads) return;
    const std::int64_t columns = tiles.units * V, matrices = gridDim.x / tiles.tiles;
    const std::int64_t to = matrix * columns + place.unit * V;
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) {
        if (partial)
            partial[blockIdx.y * matrices * columns + to + v] = value[v];
        else
            y[to + v] = finished<Out>(value[v], divisor);
    }
}

/// Any axes, by strides: `width` lanes for each split of each output. `partial` is [outputs, splits].
template <class T, class Op>
__global__ void reduce_strided(const T* x, Accumulator<T>* partial, T* y, Axes kept, Axes reduced, int splits,
                               std::int64_t chunk, int width, float divisor) {
    const Op op;
    const int lane = static_cast<int>(threadIdx.x) % width, groups = block_threads / width;
    const std::int64_t task = static_cast<std::int64_t>(blockIdx.x) * groups + static_cast<int>(threadIdx.x) / width;
    const bool inside = task < kept.count * splits;
    const std::int64_t output = task / splits, start = task % splits * chunk;
    const std::int64_t end = !inside ? 0 : (start + chunk < reduced.count ? start + chunk : reduced.count);
    Accumulator<T> value = Op::identity;
    if (inside) x += offset_in(kept, output);
    for (std::int64_t i = start + lane; i < end; i += width) value = op(value, widen(x[offset_in(reduced, i)]));
    value = reduce_group(value, op, width);
    if (lane != 0 || !inside) return;
    if (partial)
        partial[task] = value;
    else
        y[output] = finished<T>(value, divisor);
}

}  // namespace
HEDDLE_KERNELS_END
