#pragma once

#include "kernels/simt/simt.h"

// How blocks share a dense matrix [rows, columns] where each column has a sum, or factors, of its own.
HEDDLE_KERNELS_BEGIN

inline constexpr int column_block = 256;  // threads

/// A block has `width` neighbouring units (a unit is a column, or a vector of columns) and reads `lanes` rows of them
/// at once; it owns the rows of one split. Blocks stand in a grid of `tiles` times `splits`. The cut depends on the
/// shape alone, not on the GPU, so that sums have the same bits everywhere.
struct ColumnTiles {
    std::int64_t rows = 0, units = 0;
    std::int64_t rows_per_split = 1;
    unsigned tiles = 0, splits = 1;
    int width = 1, lanes = column_block;
    int first_fold = column_block / 2;  ///< the largest power of two below `lanes`, or 0

    dim3 grid(std::int64_t copies = 1) const { return dim3(static_cast<unsigned>(copies * tiles), splits); }
};

/// `copies`: how many such matrices there are. Every lane gets at least `rows_per_lane` rows before a column is split.
inline ColumnTiles column_tiles(std::int64_t rows, std::int64_t units, std::int64_t copies = 1, bool split = true) {
    constexpr std::int64_t widest = 32, rows_per_lane = 16, wanted_blocks = 132 * 4;
    ColumnTiles tiles;
    tiles.rows = rows;
    tiles.units = units;
    tiles.tiles = static_cast<unsigned>((units + widest - 1) / widest);
    if (tiles.tiles > 0) tiles.width = static_cast<int>((units + tiles.tiles - 1) / tiles.tiles);
    tiles.lanes = column_block / tiles.width;
    tiles.first_fold = 0;
    for (int fold = 1; fold < tiles.lanes; fold *= 2) tiles.first_fold = fold;

    const std::int64_t blocks = copies * tiles.tiles;
    std::int64_t splits = rows / (rows_per_lane * tiles.lanes);
    if (splits > wanted_blocks / (blocks > 0 ? blocks : 1)) splits = wanted_blocks / (blocks > 0 ? blocks : 1);
    if (splits < 1 || !split) splits = 1;
    const std::int64_t steps = ((rows + splits - 1) / splits + tiles.lanes - 1) / tiles.lanes;
    tiles.rows_per_split = (steps > 0 ? steps : 1) * tiles.lanes;
    if (rows > 0) tiles.splits = static_cast<unsigned>((rows + tiles.rows_per_split - 1) / tiles.rows_per_split);
    return tiles;
}

/// A thread's share: rows `first`, `first` + lanes, ... below `last` of `unit`; none where it has no unit.
struct ColumnPlace {
    std::int64_t unit, first, last;
    int lane;
    bool inside;  ///< whether the thread has a unit
    bool leads;   ///< whether it is the first lane of a unit, the one to write its result
};

__device__ inline ColumnPlace column_place(const ColumnTiles& tiles, unsigned tile, unsigned split) {
    ColumnPlace place;
    place.lane = static_cast<int>(threadIdx.x) / tiles.width;
    place.unit = static_cast<std::int64_t>(tile) * tiles.width + static_cast<int>(threadIdx.x) % tiles.width;
    place.inside = place.lane < tiles.lanes && place.unit < tiles.units;
    const std::int64_t start = split * tiles.rows_per_split, end = start + tiles.rows_per_split;
    place.first = start + place.lane;
    place.last = place.inside ? (end < tiles.rows ? end : tiles.rows) : 0;
    place.leads = place.inside && place.lane == 0;
    return place;
}

/// Every lane of a unit gets the reduction over the unit's lanes, in an order that depends on the tiles alone. All
/// threads of the block must call it; it begins and ends with barriers.
template <int count, class A, class Op>
__device__ inline void reduce_lanes(A (&value)[count], const ColumnTiles& tiles, const ColumnPlace& place, Op op) {
    HEDDLE_SHARED(A, partial, [count * column_block]);
    const int thread = static_cast<int>(threadIdx.x);
    __syncthreads();  // a former call's readers are done
    HEDDLE_UNROLL
    for (int v = 0; v < count; ++v) partial[v * column_block + thread] = value[v];
    __syncthreads();
    for (int fold = tiles.first_fold; fold > 0; fold /= 2) {
        if (place.lane < fold && place.lane + fold < tiles.lanes) {
            HEDDLE_UNROLL
            for (int v = 0; v < count; ++v) {
                A& mine = partial[v * column_block + thread];
                mine = op(mine, partial[v * column_block + thread + fold * tiles.width]);
            }
        }
        __syncthreads();
    }
    HEDDLE_UNROLL
    for (int v = 0; v < count; ++v) value[v] = partial[v * column_block + thread % tiles.width];
}

HEDDLE_KERNELS_END
