#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/copy/implementations.h"
#include "kernels/dispatch.h"
#include "kernels/element_types.h"
#include "kernels/strides.h"

// Neighbouring axes that stay neighbours are merged. After that either the last axis stays in place, and runs are
// copied, or the permutation is a batch of 2-D transpositions, done in tiles.
namespace heddle::kernels {
namespace {

/// The axes of y after merging, with their strides in x and in y.
struct Axes {
    Shape shape;
    Strides in_x{}, in_y{};
};

Axes merged_axes(const Permute& args) {
    const Strides x_strides = dense_strides(args.x.shape);
    Axes axes;
    for (int i = 0; i < args.y.shape.rank(); ++i) {
        const std::int64_t extent = args.y.shape[i],
                           stride = x_strides[static_cast<std::size_t>(args.axes[static_cast<std::size_t>(i)])];
        if (extent == 1) continue;
        const int rank = axes.shape.rank();
        if (rank > 0 && axes.in_x[static_cast<std::size_t>(rank - 1)] == stride * extent) {
            axes.shape[rank - 1] *= extent;
            axes.in_x[static_cast<std::size_t>(rank - 1)] = stride;
        } else {
            axes.in_x[static_cast<std::size_t>(rank)] = stride;
            axes.shape.push_back(extent);
        }
    }
    axes.in_y = dense_strides(axes.shape);
    return axes;
}

template <class T>
void copy_runs(const T* x, T* y, const Axes& axes) {
    const int rank = axes.shape.rank();
    const std::int64_t run = axes.shape.back();
    const Shape outer = axes.shape.range(0, rank - 1);
    parallel_for(outer.elements(), 65536 / run + 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row)
            std::copy_n(x + offset_of(unravel(row, outer), axes.in_x), run, y + row * run);
    });
}

/// y[q * y_step + p] = x[p * x_step + q] for p < rows, q < columns: a tile that fits the first cache.
template <class T>
void transpose_tile(const T* x, std::int64_t x_step, T* y, std::int64_t y_step, std::int64_t rows,
                    std::int64_t columns) {
    constexpr std::int64_t side = 16;
    if (rows == side && columns == side) {
        // Through a buffer: lines of x at a distance of a power of two would evict each other from the cache.
        T buffer[side][side];
        for (std::int64_t p = 0; p < side; ++p) std::memcpy(buffer[p], x + p * x_step, side * sizeof(T));
        for (std::int64_t q = 0; q < side; ++q)
            for (std::int64_t p = 0; p < side; ++p) y[q * y_step + p] = buffer[p][q];
    } else if (rows < columns) {
        for (std::int64_t p = 0; p < rows; ++p)
            for (std::int64_t q = 0; q < columns; ++q) y[q * y_step + p] = x[p * x_step + q];
    } else {
        for (std::int64_t q = 0; q < columns; ++q)
            for (std::int64_t p = 0; p < rows; ++p) y[q * y_step + p] = x[p * x_step + q];
    }
}

template <class T>
void transpose(const T* x, T* y, const Axes& axes) {
    // p: the last axis of y; q: the last axis of x, somewhere in y.
    const int rank = axes.shape.rank();
    int q_axis = 0;
    while (axes.in_x[static_cast<std::size_t>(q_axis)] != 1) ++q_axis;
    const std::int64_t rows = axes.shape.back(), columns = axes.shape[q_axis],
                       x_step = axes.in_x[static_cast<std::size_t>(rank - 1)],
                       y_step = axes.in_y[static_cast<std::size_t>(q_axis)];
    Shape outer;
    Strides outer_x{}, outer_y{};
    for (int axis = 0; axis + 1 < rank; ++axis)
        if (axis != q_axis) {
            outer_x[static_cast<std::size_t>(outer.rank())] = axes.in_x[static_cast<std::size_t>(axis)];
            outer_y[static_cast<std::size_t>(outer.rank())] = axes.in_y[static_cast<std::size_t>(axis)];
            outer.push_back(axes.shape[axis]);
        }
    // A narrow side (the channels of a picture) is taken whole, and the other one in long tiles.
    const std::int64_t row_tile = columns < 16 ? 256 : 16, column_tile = rows < 16 ? 256 : 16,
                       row_tiles = (rows + row_tile - 1) / row_tile,
                       column_tiles = (columns + column_tile - 1) / column_tile, tiles = row_tiles * column_tiles,
                       tile_elements = std::min(row_tile, rows) * std::min(column_tile, columns);
    parallel_for(outer.elements() * tiles, 65536 / tile_elements + 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t task = first; task < last;) {
            const Index index = unravel(task / tiles, outer);
            const T* from = x + offset_of(index, outer_x);
            T* to = y + offset_of(index, outer_y);
            const std::int64_t begin = task % tiles, end = std::min(tiles, begin + last - task);
            for (std::int64_t tile = begin; tile < end; ++tile) {
                const std::int64_t p = tile / column_tiles * row_tile, q = tile % column_tiles * column_tile;
                transpose_tile(from + p * x_step + q, x_step, to + q * y_step + p, y_step, std::min(row_tile, rows - p),
                               std::min(column_tile, columns - q));
            }
            task += end - begin;
        }
    });
}

void run_permute(const Permute& args, KernelContext&) {
    if (args.y.elements() == 0) return;
    const Axes axes = merged_axes(args);
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const int rank = axes.shape.rank();
        if (rank <= 1)
            parallel_for(args.y.elements(), 65536, [&](std::int64_t first, std::int64_t last) {
                std::copy_n(args.x.as<const T>() + first, last - first, args.y.as<T>() + first);
            });
        else if (axes.in_x[static_cast<std::size_t>(rank - 1)] == 1)
            copy_runs(args.x.as<const T>(), args.y.as<T>(), axes);
        else
            transpose(args.x.as<const T>(), args.y.as<T>(), axes);
    });
}

}  // namespace

void add_cpu(KernelTable<Permute>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Permute&) { return Support::yes(); },
               .run = run_permute});
}

}  // namespace heddle::kernels
