#pragma once

#include <type_traits>

#include "kernels/simt/simt.h"

// Matrix products by tiles, shared by matmul and the convolutions (implicit GEMM): C [m, n] = A [m, k] B [k, n]. A
// block computes a tile of C in registers while the slabs of A and B that come next are on their way into shared
// memory.
//   tile_shape.h    how large tiles are and how they lie in shared memory
//   tile_load.h     from global memory, through a `Source`, to shared memory
//   tile_warp.h     from shared memory to sums in registers: FFMA for f32, tensor cores for f16 and bf16
//   tile_output.h   from sums to the result
//   tile.h          the kernel; tile_plan.h  the host's choice of shape
HEDDLE_KERNELS_BEGIN

/// A block has warps_m x warps_n warps, each of which computes warp_m x warp_n elements. A slab is 64 bytes deep: 16
/// floats or 32 halves; `stages` slabs are in shared memory at a time. Registers are limited so that `resident` blocks
/// fit a multiprocessor.
template <class T, int warps_m_, int warps_n_, int warp_m_, int warp_n_, int stages_, int resident_>
struct TileShape {
    using Element = T;
    static constexpr int resident = resident_;
    static constexpr int warps_m = warps_m_, warps_n = warps_n_, warp_m = warp_m_, warp_n = warp_n_, stages = stages_;
    static constexpr int m = warps_m * warp_m, n = warps_n * warp_n, k = 64 / static_cast<int>(sizeof(T));
    static constexpr int threads = warps_m * warps_n * warp_size;
    static constexpr std::size_t shared_bytes = static_cast<std::size_t>(stages) * (m + n) * 64;
};

template <class T>
using LargeTile =
    std::conditional_t<sizeof(T) == 4, TileShape<T, 4, 1, 32, 64, 3, 3>, TileShape<T, 2, 2, 64, 64, 4, 2>>;
template <class T>
using MediumTile = TileShape<T, 2, 2, 32, 32, 4, sizeof(T) == 4 ? 3 : 4>;
/// For few columns or few rows.
template <class T>
using TallTile = TileShape<T, 4, 1, 32, 32, 4, sizeof(T) == 4 ? 3 : 4>;
template <class T>
using WideTile = TileShape<T, 1, 4, 32, 32, 4, sizeof(T) == 4 ? 3 : 4>;
/// For what 16-byte copies cannot load: slabs pass through registers, so two are enough.
template <class T>
using GeneralTile = TileShape<T, 2, 2, 32, 32, 2, 3>;

/// The place, counted in pieces of 16 bytes, of piece `chunk` of row `row` in a shared tile whose rows have `chunks` of
/// them. Eight lanes that access the same chunk of eight neighbouring rows, or neighbouring chunks of one row, meet
/// eight different groups of banks.
template <int chunks>
__device__ inline int swizzled(int row, int chunk) {
    static_assert(chunks > 0 && (chunks & (chunks - 1)) == 0);
    if constexpr (chunks >= 8)
        return row * chunks + (chunk ^ (row & 7));
    else
        return row * chunks + (chunk ^ (row / (8 / chunks) % chunks));
}

HEDDLE_KERNELS_END
