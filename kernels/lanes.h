#pragma once

#include <cstdint>

#include "kernels/bf16_memory.h"

// 16 floats at a time, for loops whose sums must stay in registers. GCC's and Clang's vectors: one register of AVX-512,
// two of AVX2's, right anywhere. They never cross a function's boundary by value: that ABI depends on the instruction
// set, so all of this is inlined into HEDDLE_SIMD_CLONES functions.
#define HEDDLE_INLINE [[gnu::always_inline]] inline
#define HEDDLE_INLINE_LAMBDA __attribute__((always_inline))

namespace heddle::kernels {

using Lanes = float __attribute__((vector_size(64)));
inline constexpr std::int64_t lanes = 16;
/// One register of AVX2, for loops that keep more sums than its 16 registers could hold as pairs.
using HalfLanes = float __attribute__((vector_size(32)));

namespace detail {
using FloatsInMemory = float __attribute__((vector_size(64), aligned(4), may_alias));
using HalfOfFloatsInMemory = float __attribute__((vector_size(32), aligned(4), may_alias));
using HalvesInMemory = std::uint16_t __attribute__((vector_size(32), aligned(2), may_alias));
using Words = std::uint32_t __attribute__((vector_size(64)));
}  // namespace detail

HEDDLE_INLINE void get(Lanes& to, const float* from) { to = *reinterpret_cast<const detail::FloatsInMemory*>(from); }
HEDDLE_INLINE void get(Lanes& to, const BFloat16* from) {
    const auto halves = *reinterpret_cast<const detail::HalvesInMemory*>(from);
    to = reinterpret_cast<Lanes>(__builtin_convertvector(halves, detail::Words) << 16);
}
HEDDLE_INLINE void put(float* to, const Lanes& from) { *reinterpret_cast<detail::FloatsInMemory*>(to) = from; }
HEDDLE_INLINE void put(BFloat16* to, const Lanes& from) {
    for (std::int64_t j = 0; j < lanes; ++j) store(to[j], from[j]);
}

// Selections per lane, by arithmetic on the bits: GCC 12 splits arithmetic on vectors that are wider than the
// processor's, as these are with AVX2, but compares them one element at a time, many times as slow.
namespace detail {
using Integers = std::int32_t __attribute__((vector_size(64)));

/// All bits of the lanes in which the highest one is set.
HEDDLE_INLINE void spread_sign(Words& bits) { bits = reinterpret_cast<Words>(reinterpret_cast<Integers>(bits) >> 31); }
}  // namespace detail

/// All bits of the lanes in which value > 0; not of NaN.
HEDDLE_INLINE void where_positive(detail::Words& mask, const Lanes& value) {
    const auto bits = reinterpret_cast<detail::Words>(value);
    constexpr std::uint32_t infinity = 0x7F800000;
    mask = (0 - bits) & ~bits & ~(infinity - bits);  // above 0, not negative, not above infinity
    detail::spread_sign(mask);
}
/// All bits of the lanes whose word has bit `place`.
HEDDLE_INLINE void where_set(detail::Words& mask, const detail::Words& words, std::uint32_t place) {
    mask = words << (31 - place);
    detail::spread_sign(mask);
}
/// 0 in the other lanes.
HEDDLE_INLINE void keep(Lanes& value, const detail::Words& mask) {
    value = reinterpret_cast<Lanes>(reinterpret_cast<detail::Words>(value) & mask);
}

}  // namespace heddle::kernels
