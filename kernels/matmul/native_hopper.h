#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/matmul/extents.h"
#include "kernels/matmul/tile.h"
#include "kernels/simt/native.h"
#include "kernels/simt/tensor_map.h"
#include "kernels/simt/wgmma.h"

// Matmul for f16 and bf16 with Hopper's own instructions: the copy engine (TMA) brings slabs of both operands into a
// ring in shared memory, where warpgroups multiply them. A block is one warpgroup that starts the copies and two that
// multiply, each 64 rows of a tile of 128 x n, and it iterates over tiles: while the sums of one are written, the slabs
// of the next are copied.
//
// Floor: 2 m n k operations (989 TFLOP/s of dense products on an H100 SXM: 139 us at 4096^3); (m n k) (1 / 128 + 1 / n)
// elements are read, mostly from the L2 cache, as tiles run in groups of eight rows. A slab for a tile of 128 x 256 is
// 48 KB for 1024 cycles of the tensor cores, 48 bytes a cycle and multiprocessor: the L2 cache's rate is what may limit
// it first. Meant to reach 90 % of cuBLASLt at 4096^3; it has not been timed yet. Left out for simplicity: clusters,
// which would share slabs and halve that traffic, and tensor cores that go on while a tile is written.
HEDDLE_KERNELS_BEGIN

template <int n_>
struct HopperTile {
    static constexpr int m = 128, n = n_, k = box_columns;
    static constexpr int stages = n == 256 ? 4 : 6;
    static constexpr int a_bytes = box_bytes(m), b_bytes = box_bytes(n), stage_bytes = a_bytes + b_bytes;
    static constexpr int alignment = 1024;  // of the swizzle's pattern
    static constexpr std::size_t shared_bytes = static_cast<std::size_t>(stages) * stage_bytes + alignment;
};

inline constexpr int warpgroup_size = 4 * warp_size, hopper_multipliers = 2;
inline constexpr int hopper_threads = (1 + hopper_multipliers) * warpgroup_size;
// A multiprocessor has 65536 registers, of which 384 threads get 168 each at first.
inline constexpr int copier_registers = 40, multiplier_registers = 232;
static_assert((copier_registers + hopper_multipliers * multiplier_registers) * warpgroup_size <= 65536);

/// Where a block is in the ring: the stage, and the parity of its phase.
struct RingPlace {
    int stage = 0;
    unsigned parity = 0;

    __device__ void advance(int stages) {
        if (++stage == stages) {
            stage = 0;
            parity ^= 1;
        }
    }
};

/// Starts the copies of one operand's slab: `extent` along m or n from `first`, 64 along k from `first_k`.
template <bool along_k, int extent>
__device__ inline void copy_slab(unsigned char* to, const TensorMap& map, int first, int first_k, int item,
                                 Mbarrier& full) {
    if constexpr (along_k) {
        copy_box(to, map, first_k, first, item, full);
    } else {
        HEDDLE_UNROLL
        for (int i = 0; i < extent / box_columns; ++i)
            copy_box(to + i * box_bytes(box_columns), map, first + i * box_columns, first_k, item, full);
    }
}

/// Writes a warpgroup's sums of 64 x n from (row, column) on. The four lanes that share a row of eight columns exchange
/// what they have of four such groups, so that each has one: 16 bytes for one store.
template <int n, class Output>
__device__ inline void write_sums(const float (&sums)[n / 2], const Output& output, int row, int column) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size % 4;
    const int member = lane % 4;
    HEDDLE_UNROLL
    for (int half = 0; half < 2; ++half) {
        HEDDLE_UNROLL
        for (int j = 0; j < n / 8; j += 4) {
            float pair[4][2];
            HEDDLE_UNROLL
            for (int b = 0; b < 4; ++b) {
                pair[b][0] = sums[(j + b) * 4 + half * 2];
                pair[b][1] = sums[(j + b) * 4 + half * 2 + 1];
            }
            exchange_pairs<1>(pair, member);
            exchange_pairs<2>(pair, member);
            Vector<float, 8> eight;
            HEDDLE_UNROLL
            for (int e = 0; e < 8; ++e) eight[e] = pair[e / 2][e % 2];
            output.finish(row + warp * 16 + half * 8 + lane / 4, column + (j + member) * 8, eight);
        }
    }
}

/// `tiles`: of all items. a_items, b_items: whether an operand has items of its own.
template <class T, class Tile, bool transpose_a, bool transpose_b>
__global__ void __launch_bounds__(hopper_threads, 1)
    multiply_hopper(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, bool a_items,
                    bool b_items, TileOutput<T, DenseRows> output, int slabs, TileGrid grid, unsigned tiles) {
    constexpr bool a_along_k = !transpose_a, b_along_k = transpose_b;
    HEDDLE_SHARED_DYNAMIC(unsigned char, shared);
    HEDDLE_SHARED(Mbarrier, full, [Tile::stages]);
    HEDDLE_SHARED(Mbarrier, empty, [Tile::stages]);
    const auto misplaced = reinterpret_cast<std::uintptr_t>(shared) % Tile::alignment;
    unsigned char* const ring = shared + (misplaced == 0 ? 0 : Tile::alignment - misplaced);
    const int warpgroup = static_cast<int>(threadIdx.x) / warpgroup_size;

    if (threadIdx.x == 0) {
        for (int s = 0; s < Tile::stages; ++s) {
            mbarrier_init(full[s], 1);                        // the thread that starts the copies, and their bytes
            mbarrier_init(empty[s], hopper_multipliers * 4);  // the warps that have read it
        }
        fence_async();
        prefetch_tensor_map(a);
        prefetch_tensor_map(b);
    }
    __syncthreads();

    RingPlace place;
    if (warpgroup == 0) {
        give_back_registers<copier_registers>();
        if (threadIdx.x == 0) {
            for (unsigned tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
                const TileGrid::Place at = grid.place(tile);
                for (int s = 0; s < slabs; ++s) {
                    mbarrier_wait(empty[place.stage], place.parity ^ 1);
                    mbarrier_arrive_expect(full[place.stage], Tile::stage_bytes);
                    unsigned char* const stage = ring + place.stage * Tile::stage_bytes;
                    copy_slab<a_along_k, Tile::m>(stage, a, at.m * Tile::m, s * Tile::k, a_items ? at.item : 0,
                                                  full[place.stage]);
                    copy_slab<b_along_k, Tile::n>(stage + Tile::a_bytes, b, at.n * Tile::n, s * Tile::k,
                                                  b_items ? at.item : 0, full[place.stage]);
                    place.advance(Tile::stages);
                }
            }
        }
    } else {
        take_registers<multiplier_registers>();
        const int first_row = (warpgroup - 1) * 64;
        const bool signals = threadIdx.x % warp_size == 0;
        for (unsigned tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
            const TileGrid::Place at = grid.place(tile);
            float sums[Tile::n / 2] = {};
            int before = 0;  // the stage of the slab before
            for (int s = 0; s < slabs; ++s) {
                mbarrier_wait(full[place.stage], place.parity);
                const unsigned char* const stage = ring + place.stage * Tile::stage_bytes;
                // 64 rows of 128 bytes, or one box of 64 columns: the same number of bytes.
                const std::uint64_t of_a =
                    wgmma_operand(stage + first_row / 64 * box_bytes(box_columns), box_bytes(box_columns));
                const std::uint64_t of_b = wgmma_operand(stage + Tile::a_bytes, box_bytes(box_columns));
                wgmma_fence();
                HEDDLE_UNROLL
                for (int step = 0; step < Tile::k / 16; ++step)
                    wgmma<T, Tile::n, !a_along_k, !b_along_k>(sums, wgmma_step<a_along_k>(of_a, step),
                                                              wgmma_step<b_along_k>(of_b, step), s > 0 || step > 0);
                wgmma_commit();
                wgmma_wait<1>();  // the products of the slab before
                if (s > 0 && signals) mbarrier_arrive(empty[before]);
                before = place.stage;
                place.advance(Tile::stages);
            }
            wgmma_wait<0>();
            settle(sums);
            if (signals) mbarrier_arrive(empty[before]);
            TileOutput<T, DenseRows> of_item = output;
            of_item.select(at.item);
            write_sums<Tile::n>(sums, of_item, at.m * Tile::m + first_row, at.n * Tile::n);
        }
    }
}

/// The operand's matrices as the copy engine sees them: along k, or along m or n.
inline MatrixBoxes hopper_boxes(const void* data, std::int64_t extent, std::int64_t k, std::int64_t items,
                                std::int64_t step, bool along_k, int tile) {
    const std::int64_t columns = along_k ? k : extent, rows = along_k ? extent : k;
    return {.data = data,
            .columns = columns,
            .rows = rows,
            .items = step > 0 ? items : 1,
            .row_step = columns,
            .item_step = columns * rows,
            .box_rows = along_k ? tile : box_columns};
}

template <class T, class Tile, bool transpose_a, bool transpose_b>
void launch_hopper(const Matmul& args, const MatmulExtentsFolded& e, KernelContext& context) {
    const TensorMap a =
        tensor_map<T>(hopper_boxes(args.a.data, e.m, e.k, e.batch, e.a_step, !transpose_a, Tile::m), context);
    const TensorMap b =
        tensor_map<T>(hopper_boxes(args.b.data, e.n, e.k, e.batch, e.b_step, transpose_b, Tile::n), context);
    const TileGrid grid{.tiles_m = static_cast<int>((e.m + Tile::m - 1) / Tile::m),
                        .tiles_n = static_cast<int>((e.n + Tile::n - 1) / Tile::n),
                        .splits = 1,
                        .items = static_cast<int>(e.batch),
                        .depth = 0,
                        .partial = nullptr,
                        .partial_size = 0};
    const TileOutput<T, DenseRows> output{
        .c = args.c.as<T>(),
        .rows = {e.n},
        .m = static_cast<int>(e.m),
        .n = static_cast<int>(e.n),
        .vectors = e.n % vector_width<T> == 0 && is_aligned(args.c.data) && is_aligned(args.bias.data),
        .bias = args.bias.as<const T>(),
        .alpha = args.alpha,
        .addend = args.accumulate ? args.c.as<const T>() : nullptr,
        .relu = args.activation == FusedActivation::relu,
        .c_step = e.m * e.n};
    const std::int64_t tiles = e.batch * grid.tiles_m * grid.tiles_n;
    constexpr std::int64_t processors = 132;  // an H100's: a block each
    launch(multiply_hopper<T, Tile, transpose_a, transpose_b>, dim3(static_cast<unsigned>(std::min(tiles, processors))),
           dim3(hopper_threads), Tile::shared_bytes, context, a, b, e.a_step > 0, e.b_step > 0, output,
           static_cast<int>((e.k + Tile::k - 1) / Tile::k), grid, static_cast<unsigned>(tiles));
}

/// Wide tiles move fewer bytes for an operation; narrow ones where those would leave more of the chip idle. Decided by
/// the extents alone.
inline bool hopper_wide(const MatmulExtentsFolded& e) {
    constexpr std::int64_t processors = 132;
    const auto rounds = [&](std::int64_t tile_n) {
        const std::int64_t tiles = e.batch * ((e.m + 127) / 128) * ((e.n + tile_n - 1) / tile_n);
        return (tiles + processors - 1) / processors * tile_n;
    };
    return rounds(256) <= rounds(128);
}

template <class T>
void run_hopper(const Matmul& args, KernelContext& context) {
    const MatmulExtentsFolded e(args);
    if (e.m == 0 || e.n == 0 || e.batch == 0) return;
    const auto with_tile = [&](auto transpose_a, auto transpose_b) {
        if (hopper_wide(e))
            launch_hopper<T, HopperTile<256>, transpose_a, transpose_b>(args, e, context);
        else
            launch_hopper<T, HopperTile<128>, transpose_a, transpose_b>(args, e, context);
    };
    const auto with_b = [&](auto transpose_a) {
        args.transpose_b ? with_tile(transpose_a, std::true_type{}) : with_tile(transpose_a, std::false_type{});
    };
    args.transpose_a ? with_b(std::true_type{}) : with_b(std::false_type{});
}

extern template void run_hopper<__half>(const Matmul&, KernelContext&);
extern template void run_hopper<__nv_bfloat16>(const Matmul&, KernelContext&);

HEDDLE_KERNELS_END
