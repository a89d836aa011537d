#pragma once

#include "kernels/simt/simt.h"

// What a warp's registers hold after each matrix instruction, from operands that tell every place apart. The same
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

HEDDLE_KERNELS_END
