#pragma once

#include <algorithm>

#include "kernels/matmul/tile.h"

// The host's side: which tile, how many splits, and the launch.
HEDDLE_KERNELS_BEGIN

enum class TileKind { large, medium, tall, wide, general };

/// Which kernels are compiled for a problem besides large, medium and general ones.
struct TileKinds {
    bool tall, wide;
};

/// Decided by the extents and the dtype's size alone, so that results are the same on every device and every time.
struct TilePlan {
    TileKind kind;
    int splits;
    int depth;  ///< of a split, along k

    /// The multiprocessors that plans are made for (an H100's).
    static constexpr std::int64_t processors = 132;
    /// Fewer slabs than this in a split would not pay for writing and adding its sums.
    static constexpr std::int64_t least_slabs = 8;

    TilePlan(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t items, std::size_t element_bytes,
             bool vectors, TileKinds kinds) {
        const auto tiles = [&](std::int64_t tile_m, std::int64_t tile_n) {
            return (m + tile_m - 1) / tile_m * ((n + tile_n - 1) / tile_n) * items;
        };
        const std::int64_t large_n = element_bytes == 4 ? LargeTile<float>::n : LargeTile<__half>::n;
        std::int64_t blocks;
        if (!vectors) {
            kind = TileKind::general;
            blocks = tiles(64, 64);
        } else if (kinds.tall && n <= 32) {
            kind = TileKind::tall;
            blocks = tiles(128, 32);
        } else if (kinds.wide && m <= 32) {
            kind = TileKind::wide;
            blocks = tiles(32, 128);
        } else if (tiles(128, large_n) >= processors) {
            kind = TileKind::large;
            blocks = tiles(128, large_n);
        } else {
            kind = TileKind::medium;
            blocks = tiles(64, 64);
        }
        const auto slab = static_cast<std::int64_t>(64 / element_bytes);
        const std::int64_t slabs = (k + slab - 1) / slab;
        std::int64_t wanted = 1;
        if (blocks > 0 && blocks < processors)
            wanted = std::max<std::int64_t>(1, std::min(2 * processors / blocks, slabs / least_slabs));
        const std::int64_t slabs_each = std::max<std::int64_t>(1, (slabs + wanted - 1) / wanted);
        splits = static_cast<int>(std::max<std::int64_t>(1, (slabs + slabs_each - 1) / slabs_each));
        depth = static_cast<int>(slabs_each * slab);
    }

    std::size_t workspace_bytes(std::int64_t m, std::int64_t n, std::int64_t items) const {
        return splits > 1 ? static_cast<std::size_t>(splits * items * m * n) * sizeof(float) : 0;
    }
};

template <class Shape, bool asynchronous, class Problem>
void launch_tiles(const Problem& problem, int items, const TilePlan& plan, KernelContext& context) {
    const int m = problem.output.m, n = problem.output.n;
    TileGrid grid{.tiles_m = (m + Shape::m - 1) / Shape::m,
                  .tiles_n = (n + Shape::n - 1) / Shape::n,
                  .splits = plan.splits,
                  .items = items,
                  .depth = plan.depth,
                  .partial = plan.splits > 1 ? static_cast<float*>(context.workspace) : nullptr,
                  .partial_size = static_cast<std::int64_t>(m) * n};
    const std::int64_t blocks = static_cast<std::int64_t>(grid.tiles_m) * grid.tiles_n * plan.splits * items;
    launch(multiply_tiles<Shape, Problem, asynchronous>, dim3(static_cast<unsigned>(blocks)), dim3(Shape::threads),
           Shape::shared_bytes, context, problem, grid);
    if (plan.splits == 1) return;
    const auto add = [&](auto kernel, int width) {
        const std::int64_t vectors = (grid.partial_size + width - 1) / width;
        launch(kernel, dim3(static_cast<unsigned>((vectors + warp_size - 1) / warp_size), static_cast<unsigned>(items)),
               dim3(warp_size, sum_lanes), 0, context, problem, grid);
    };
    n % 4 == 0 ? add(add_splits<4, Problem>, 4) : add(add_splits<1, Problem>, 1);
}

/// `problem` before `select`, with the extents of its largest item. Both operands must allow vectors unless the plan is
/// general.
template <class Problem>
void run_tiles(const Problem& problem, int items, const TilePlan& plan, KernelContext& context) {
    using T = typename Problem::Element;
    switch (plan.kind) {
        case TileKind::large:
            return launch_tiles<LargeTile<T>, true>(problem, items, plan, context);
        case TileKind::medium:
            return launch_tiles<MediumTile<T>, true>(problem, items, plan, context);
        case TileKind::tall:
            if constexpr (Problem::kinds.tall) launch_tiles<TallTile<T>, true>(problem, items, plan, context);
            return;
        case TileKind::wide:
            if constexpr (Problem::kinds.wide) launch_tiles<WideTile<T>, true>(problem, items, plan, context);
            return;
        case TileKind::general:
            return launch_tiles<GeneralTile<T>, false>(problem, items, plan, context);
    }
}

HEDDLE_KERNELS_END
