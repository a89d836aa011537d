#pragma once

#include "kernels/matmul/tile_load.h"
#include "kernels/matmul/tile_output.h"
#include "kernels/matmul/tile_warp.h"

HEDDLE_KERNELS_BEGIN

// A *problem* is what a kernel is given, by value; many independent products are its *items*:
//   Element                       float, __half or __nv_bfloat16
//   kinds                         which tiles it is compiled for
//   a_along_k, b_along_k          whether neighbours along k are neighbours in memory
//   A a, B b                      sources; a's rows are k and its columns m unless a_along_k, b's likewise
//   Output output                 a TileOutput: m and n
//   int k
//   void select(int item)         turns to one item, the output too (device)

/// Which part of the work a block does: by its number, so that batches may be of any size.
struct TileGrid {
    int tiles_m, tiles_n, splits, items;
    int depth;       ///< of a split along k: a multiple of the slab's
    float* partial;  ///< null with one split: [item][split][partial_size]
    std::int64_t partial_size;

    struct Place {
        int m, n, split, item;
    };
    __device__ Place place(unsigned block) const {
        // Neighbouring blocks share what they load, so that it comes from the L2 cache: eight tiles down, then across.
        constexpr int group = 8;
        const auto tiles = static_cast<unsigned>(tiles_m * tiles_n);
        const auto slice = static_cast<int>(block / tiles), tile = static_cast<int>(block % tiles);
        const int first = tile / (group * tiles_n) * group, within = tile % (group * tiles_n);
        const int height = tiles_m - first < group ? tiles_m - first : group;
        return {first + within % height, within / height, slice % splits, slice / splits};
    }
};

/// Floor: 2 m n k operations; memory is read (m n k) (1 / tile m + 1 / tile n) elements, mostly from the L2 cache.
template <class Shape, class Problem, bool asynchronous>
__global__ void __launch_bounds__(Shape::threads, Shape::resident) multiply_tiles(Problem problem, TileGrid grid) {
    using T = typename Problem::Element;
    HEDDLE_SHARED_DYNAMIC(T, shared);
    constexpr int a_elements = Shape::m * Shape::k, stage_elements = (Shape::m + Shape::n) * Shape::k;
    const TileGrid::Place place = grid.place(blockIdx.x);
    const int first_m = place.m * Shape::m, first_n = place.n * Shape::n;
    problem.select(place.item);
    if (first_m >= problem.output.m) return;  // whole blocks: items may have fewer rows than the first one

    TileLoader<decltype(problem.a), T, Problem::a_along_k ? Shape::m : Shape::k,
               Problem::a_along_k ? Shape::k : Shape::m, Shape::threads, Problem::a_along_k, asynchronous>
        load_a(problem.a, first_m);
    TileLoader<decltype(problem.b), T, Problem::b_along_k ? Shape::n : Shape::k,
               Problem::b_along_k ? Shape::k : Shape::n, Shape::threads, Problem::b_along_k, asynchronous>
        load_b(problem.b, first_n);
    WarpProduct<Shape, Problem::a_along_k, Problem::b_along_k> product;

    const int first_k = place.split * grid.depth;
    const int depth = problem.k - first_k < grid.depth ? problem.k - first_k : grid.depth;
    const int slabs = depth > 0 ? (depth + Shape::k - 1) / Shape::k : 0;
    T* const a_tile = shared;
    T* const b_tile = shared + a_elements;
    HEDDLE_UNROLL
    for (int s = 0; s < Shape::stages - 1; ++s) {
        if (s < slabs) {
            load_a.begin(a_tile + s * stage_elements, first_k + s * Shape::k);
            load_b.begin(b_tile + s * stage_elements, first_k + s * Shape::k);
            load_a.end(a_tile + s * stage_elements);
            load_b.end(b_tile + s * stage_elements);
        }
        copy_async_commit();
    }
    int stage = 0, free_stage = Shape::stages - 1;
    for (int s = 0; s < slabs; ++s) {
        copy_async_wait<Shape::stages - 2>();
        __syncthreads();  // slab s is there, and everyone is done with slab s - 1, whose place the next one takes
        const int next = s + Shape::stages - 1;
        if (next < slabs) {
            load_a.begin(a_tile + free_stage * stage_elements, first_k + next * Shape::k);
            load_b.begin(b_tile + free_stage * stage_elements, first_k + next * Shape::k);
        }
        copy_async_commit();
        product.add(a_tile + stage * stage_elements, b_tile + stage * stage_elements);
        if (next < slabs) {
            load_a.end(a_tile + free_stage * stage_elements);
            load_b.end(b_tile + free_stage * stage_elements);
        }
        free_stage = stage;
        stage = stage + 1 == Shape::stages ? 0 : stage + 1;
    }

    const std::int64_t slice = static_cast<std::int64_t>(place.item) * grid.splits + place.split;
    float* const partial = grid.partial ? grid.partial + slice * grid.partial_size : nullptr;
    product.for_each([&](int row, int column, const auto& sums) {
        if (partial)
            problem.output.store_partial(partial, first_m + row, first_n + column, sums);
        else
            problem.output.finish(first_m + row, first_n + column, sums);
    });
}

constexpr int sum_lanes = 8;  // threads that share the splits of one result

/// Adds up the splits, in an order that the shape alone decides. Floor: splits * m * n floats read.
template <int width, class Problem>
__global__ void __launch_bounds__(warp_size* sum_lanes) add_splits(Problem problem, TileGrid grid) {
    HEDDLE_SHARED(float, shared, [sum_lanes][warp_size * width]);
    problem.select(static_cast<int>(blockIdx.y));
    const std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * warp_size + threadIdx.x) * width;
    const bool inside = first < static_cast<std::int64_t>(problem.output.m) * problem.output.n;
    Vector<float, width> sums{};
    if (inside) {
        const float* partial =
            grid.partial + static_cast<std::int64_t>(blockIdx.y) * grid.splits * grid.partial_size + first;
        for (int s = static_cast<int>(threadIdx.y); s < grid.splits; s += sum_lanes) {
            const auto part = load_vector<width>(partial + s * grid.partial_size);
            HEDDLE_UNROLL
            for (int e = 0; e < width; ++e) sums[e] += part[e];
        }
    }
    HEDDLE_UNROLL
    for (int e = 0; e < width; ++e) shared[threadIdx.y][threadIdx.x * width + e] = sums[e];
    __syncthreads();
    if (threadIdx.y > 0 || !inside) return;
    HEDDLE_UNROLL
    for (int lane = 1; lane < sum_lanes; ++lane) {
        HEDDLE_UNROLL
        for (int e = 0; e < width; ++e) sums[e] += shared[lane][threadIdx.x * width + e];
    }
    problem.output.finish(static_cast<int>(first / problem.output.n), static_cast<int>(first % problem.output.n), sums);
}

HEDDLE_KERNELS_END
