#pragma once

#include <vector>

#include "kernels/simt/tensor_map.h"
#include "kernels/simt/wgmma.h"

// What registers hold after each matrix instruction, from operands that tell every place apart. The same
// kernel runs on a GPU (tests/gpu/record_gpu.cu writes down what it gives) and on the simulator (fragments_test.cu
// compares).
HEDDLE_KERNELS_BEGIN

inline constexpr int fragment_words = 4 * 32;  // of each instruction: four registers of 32 lanes
inline constexpr const char* fragment_names[] = {"ldmatrix.x4", "ldmatrix.x4.trans", "mma.m16n8k16.f16",
                                                 "mma.m16n8k16.bf16"};
inline constexpr int fragment_count = 4;

/// Small whole numbers, so that the products are exact: register `i` of `lane` holds two of them.
template <class T>
__device__ inline std::uint32_t fragment_operand(int lane, int i, int modulus) {
    std::uint32_t word = 0;
    for (int half = 0; half < 2; ++half) {
        const T value = from_f32<T>(static_cast<float>((lane * 17 + i * 5 + half * 3) % modulus - modulus / 2));
        std::uint16_t bits;
        __builtin_memcpy(&bits, static_cast<const void*>(&value), 2);
        word |= static_cast<std::uint32_t>(bits) << (16 * half);
    }
    return word;
}

template <class T>
__device__ inline void record_product(std::uint32_t* words) {
    const int lane = static_cast<int>(threadIdx.x);
    std::uint32_t a[4], b[2];
    float d[4];
    for (int i = 0; i < 4; ++i) a[i] = fragment_operand<T>(lane, i, 31);
    for (int i = 0; i < 2; ++i) b[i] = fragment_operand<T>(lane, i + 4, 29);
    for (int i = 0; i < 4; ++i) d[i] = static_cast<float>(lane * 4 + i);
    matrix_multiply_add<T>(d, a, b);
    for (int i = 0; i < 4; ++i) words[lane * 4 + i] = __float_as_uint(d[i]);
}

template <bool transposed>
__device__ inline void record_load(const std::uint16_t* tiles, std::uint32_t* words) {
    const int lane = static_cast<int>(threadIdx.x);
    std::uint32_t fragment[4];
    load_matrix_x4<transposed>(fragment, tiles + lane * 8);
    for (int i = 0; i < 4; ++i) words[lane * 4 + i] = fragment[i];
}

/// One warp; `words`: fragment_count * fragment_words.
static __global__ void record_fragments(std::uint32_t* words) {
    HEDDLE_SHARED(std::uint16_t, tiles, [4 * 64]);
    for (int i = 0; i < 8; ++i) {
        const unsigned place = threadIdx.x * 8 + static_cast<unsigned>(i);
        tiles[place] = static_cast<std::uint16_t>(place);
    }
    __syncthreads();
    record_load<false>(tiles, words);
    record_load<true>(tiles, words + fragment_words);
    record_product<__half>(words + 2 * fragment_words);
    record_product<__nv_bfloat16>(words + 3 * fragment_words);
}

// The same of Hopper's instructions: a box as the copy engine lays it down, and products of a warpgroup.

inline constexpr int warpgroup_n = 128, warpgroup_words = 128 * warpgroup_n / 2;  // of each product: all sums
inline constexpr int box_words = 64 * box_columns / 2;
inline constexpr const char* warpgroup_names[] = {"wgmma.m64n128k16.f16.k.k", "wgmma.m64n128k16.f16.m.n"};
inline constexpr const char* box_name = "tensor_map.swizzle_128b";

/// Rows of 64 small whole numbers, which tell places apart.
inline std::vector<__half> warpgroup_operand(int rows) {
    std::vector<__half> values(static_cast<std::size_t>(rows) * box_columns);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = __float2half(static_cast<float>(static_cast<int>(i * i % 61 + i / 64 % 7) - 30));
    return values;
}

/// a: 64 x 64, b: 128 x 64, both along k, or 64 x 64 and 64 x 128.
inline MatrixBoxes warpgroup_boxes(const void* data, int rows, int columns) {
    return {data, columns, rows, 1, columns, rows * columns, columns > box_columns ? box_columns : rows};
}

template <bool along_k>
__device__ inline void record_warpgroup_product(const TensorMap& a, const TensorMap& b, unsigned char* tiles,
                                                Mbarrier& full, unsigned parity, std::uint32_t* words) {
    unsigned char* const b_tile = tiles + box_bytes(64);
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect(full, box_bytes(64) + box_bytes(warpgroup_n));
        copy_box(tiles, a, 0, 0, 0, full);
        copy_box(b_tile, b, 0, 0, 0, full);
        if (!along_k) copy_box(b_tile + box_bytes(64), b, 64, 0, 0, full);
    }
    mbarrier_wait(full, parity);
    float sums[warpgroup_n / 2] = {};
    wgmma_fence();
    for (int step = 0; step < 4; ++step)
        wgmma<__half, warpgroup_n, !along_k, !along_k>(
            sums, wgmma_step<along_k>(wgmma_operand(tiles, box_bytes(64)), step),
            wgmma_step<along_k>(wgmma_operand(b_tile, box_bytes(64)), step), step > 0);
    wgmma_commit();
    wgmma_wait<0>();
    settle(sums);
    HEDDLE_UNROLL
    for (int i = 0; i < warpgroup_n / 2; ++i)  // whole numbers, shorter to write down than their bits
        words[threadIdx.x * (warpgroup_n / 2) + static_cast<unsigned>(i)] =
            static_cast<std::uint32_t>(static_cast<int>(sums[i]));
}

inline constexpr int warpgroup_shared_bytes = box_bytes(64) + box_bytes(warpgroup_n) + 1024;

/// One warpgroup; `a`, `b`: along k; `b_along_n`: [64, 128]. `words`: two products, then the box of a.
static __global__ void __launch_bounds__(128)
    record_warpgroup(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b,
                     const __grid_constant__ TensorMap b_along_n, std::uint32_t* words) {
    HEDDLE_SHARED_DYNAMIC(unsigned char, shared);
    HEDDLE_SHARED(Mbarrier, full, [1]);
    unsigned char* const tiles = shared + (1024 - reinterpret_cast<std::uintptr_t>(shared) % 1024) % 1024;
    if (threadIdx.x == 0) {
        mbarrier_init(full[0], 1);
        fence_async();
    }
    __syncthreads();
    record_warpgroup_product<true>(a, b, tiles, full[0], 0, words);
    for (unsigned i = threadIdx.x; i < box_words; i += 128)
        words[2 * warpgroup_words + i] = reinterpret_cast<const std::uint32_t*>(tiles)[i];
    __syncthreads();
    record_warpgroup_product<false>(a, b_along_n, tiles, full[0], 1, words + warpgroup_words);
}

HEDDLE_KERNELS_END
