#include <algorithm>

#include "kernels/copy/copy.h"
#include "kernels/native_map.h"
#include "kernels/native_registry.h"

// If the last axis stays in place, or one of the two contiguous axes (x's last, y's last) is short, y is written in
// order and x is read with strides. Else tiles of the plane of these two axes pass through shared memory, so that
// both sides are read and written in long lines. The floor is 2 * elements * size bytes.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int tile_threads_x = 32, tile_threads_y = 8;
constexpr std::int64_t shortest_side = 8;                      // below it most of a tile would be empty
constexpr std::int64_t most_elements = std::int64_t{1} << 37;  // a grid has fewer than 2^31 blocks, a tile 64 and more

/// The side of a tile: lines of at least 64 bytes, and enough of them under way.
template <class T>
inline constexpr int tile_side = sizeof(T) < 4 ? 64 : 32;

/// A batch of transpositions, a block a tile: y[b, c, r] = x[b, r, c], rows and columns with strides of their own.
struct Planes {
    Walk from, to;                    // where plane b begins
    std::int64_t rows, columns;       // columns are contiguous in x, rows in y
    std::int64_t x_stride, y_stride;  // from row to row of x, from column to column of y
    Divisor64 tiles_down, tiles_across;
};

template <class T>
__global__ void __launch_bounds__(tile_threads_x* tile_threads_y)
    transpose_tiles(const T* __restrict__ x, T* __restrict__ y, const __grid_constant__ Planes planes) {
    constexpr int side = tile_side<T>, pad = sizeof(T) < 4 ? 4 / sizeof(T) : 1;  // columns in different banks
    HEDDLE_SHARED(T, tile, [side][side + pad]);
    const std::int64_t t = blockIdx.x;
    const std::int64_t rest = planes.tiles_across.divide(t), b = planes.tiles_down.divide(rest);
    const std::int64_t column = (t - rest * planes.tiles_across.divisor()) * side,
                       row = (rest - b * planes.tiles_down.divisor()) * side;
    const T* from = x + planes.from.offset(b) + row * planes.x_stride + column;
    T* to = y + planes.to.offset(b) + column * planes.y_stride + row;
    const int rows = static_cast<int>(planes.rows - row < side ? planes.rows - row : side),
              columns = static_cast<int>(planes.columns - column < side ? planes.columns - column : side);
    HEDDLE_UNROLL
    for (int i = 0; i < side; i += tile_threads_y) {
        HEDDLE_UNROLL
        for (int j = 0; j < side; j += tile_threads_x) {
            const int r = i + static_cast<int>(threadIdx.y), c = j + static_cast<int>(threadIdx.x);
            if (r < rows && c < columns) tile[r][c] = from[r * planes.x_stride + c];
        }
    }
    __syncthreads();
    HEDDLE_UNROLL
    for (int i = 0; i < side; i += tile_threads_y) {
        HEDDLE_UNROLL
        for (int j = 0; j < side; j += tile_threads_x) {
            const int c = i + static_cast<int>(threadIdx.y), r = j + static_cast<int>(threadIdx.x);
            if (r < rows && c < columns) to[c * planes.y_stride + r] = tile[r][c];
        }
    }
}

/// An axis of y: its extent, and the strides of both sides.
struct Axis {
    std::int64_t extent, x_stride, y_stride;
};

/// The axes of y without those of one element, neighbours merged where they are neighbours in x too.
int merged_axes(const Permute& args, Axis (&axes)[Shape::max_rank]) {
    const Strides x_strides = dense_strides(args.x.shape), y_strides = dense_strides(args.y.shape);
    int count = 0;
    for (int axis = 0; axis < args.y.shape.rank(); ++axis) {
        const auto a = static_cast<std::size_t>(axis);
        const Axis next{args.y.shape[axis], x_strides[static_cast<std::size_t>(args.axes[a])], y_strides[a]};
        if (next.extent == 1) continue;
        if (count > 0 && axes[count - 1].x_stride == next.x_stride * next.extent)
            axes[count - 1] = {axes[count - 1].extent * next.extent, next.x_stride, next.y_stride};
        else
            axes[count++] = next;
    }
    return count;
}

template <class T>
void run_tiles(const Permute& args, const Axis* axes, int count, int contiguous, KernelContext& context) {
    constexpr std::int64_t side = tile_side<T>;
    const Axis &row = axes[count - 1], &column = axes[contiguous];
    Planes planes{.from = {},
                  .to = {},
                  .rows = row.extent,
                  .columns = column.extent,
                  .x_stride = row.x_stride,
                  .y_stride = column.y_stride,
                  .tiles_down = Divisor64((row.extent + side - 1) / side),
                  .tiles_across = Divisor64((column.extent + side - 1) / side)};
    std::int64_t tiles = planes.tiles_down.divisor() * planes.tiles_across.divisor();
    for (int axis = 0; axis < count - 1; ++axis) {
        if (axis == contiguous) continue;
        planes.from.append(axes[axis].extent, axes[axis].x_stride);
        planes.to.append(axes[axis].extent, axes[axis].y_stride);
        tiles *= axes[axis].extent;
    }
    launch(transpose_tiles<T>, dim3(static_cast<unsigned>(tiles)), dim3(tile_threads_x, tile_threads_y), 0, context,
           args.x.as<const T>(), args.y.as<T>(), planes);
}

void run(const Permute& args, KernelContext& context) {
    if (args.y.elements() == 0) return;
    Axis axes[Shape::max_rank];
    const int count = merged_axes(args, axes);
    int contiguous = -1;  // the axis along which x is contiguous; -1: it is y's last one, too
    for (int axis = 0; axis < count - 1; ++axis)
        if (axes[axis].x_stride == 1) contiguous = axis;
    const bool tiles = contiguous >= 0 && std::min(axes[contiguous].extent, axes[count - 1].extent) >= shortest_side;
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int width = map_width<T>;
        if (tiles) return run_tiles<T>(args, axes, count, contiguous, context);
        Walk walk;
        for (int axis = 0; axis < count; ++axis) walk.append(axes[axis].extent, axes[axis].x_stride);
        map<width>(context, Same{}, args.y.as<T>(), args.y.elements(),
                   Strided<T>::walked(args.x.as<const T>(), walk, width));
    });
}

Support supports(const Permute& args) {
    if (args.y.elements() >= most_elements) return Support::no("2^37 elements or more");
    return movable(args.x.dtype);
}

}  // namespace

void register_permute() {
    permute().add({.name = "native", .device = backend, .priority = priority::plain, .supports = supports, .run = run});
}

HEDDLE_KERNELS_END
