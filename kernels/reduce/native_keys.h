#pragma once

#include "kernels/simt/native.h"

// Unsigned integers that order as top_k's contract orders the values.
HEDDLE_KERNELS_BEGIN

template <class T>
using KeyOf = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

/// Orders as the values do; NaN is the largest, -0 equals 0.
__device__ inline std::uint32_t key_of(float value) {
    if (value != value) return 0xffffffffu;
    const std::uint32_t bits = value == 0 ? 0 : __float_as_uint(value);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ inline std::uint32_t key_of(__half value) { return key_of(to_f32(value)); }
__device__ inline std::uint32_t key_of(__nv_bfloat16 value) { return key_of(to_f32(value)); }
__device__ inline std::uint32_t key_of(std::int32_t value) { return static_cast<std::uint32_t>(value) ^ 0x80000000u; }
__device__ inline std::uint64_t key_of(std::int64_t value) {
    return static_cast<std::uint64_t>(value) ^ 0x8000000000000000u;
}

HEDDLE_KERNELS_END
