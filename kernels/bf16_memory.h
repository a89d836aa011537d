#pragma once

#include <algorithm>
#include <cstdint>

#include "core/check.h"
#include "core/dtype.h"
#include "kernels/table.h"
#include "kernels/vector_math.h"

// How the CPU loops read and write memory that holds f32 or bf16: arithmetic is in float for both. Inlined into
// HEDDLE_SIMD_CLONES functions; integer operations, which vectorise on every target.
namespace heddle::kernels {

HEDDLE_VECTOR_FUNCTION float load(float value) { return value; }
HEDDLE_VECTOR_FUNCTION float load(BFloat16 value) {
    return vec::detail::from_bits(static_cast<std::int32_t>(std::uint32_t{value.bits} << 16));
}

HEDDLE_VECTOR_FUNCTION void store(float& to, float value) { to = value; }
/// To nearest, ties to even; NaN stays NaN.
HEDDLE_VECTOR_FUNCTION void store(BFloat16& to, float value) {
    const auto bits = static_cast<std::uint32_t>(vec::detail::to_bits(value));
    const std::uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16, nan = (bits >> 16) | 0x40;
    to.bits = static_cast<std::uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? nan : rounded);
}

/// What these loops support.
inline Support f32_or_bf16(DType dtype) {
    if (dtype == DType::f32 || dtype == DType::bf16) return Support::yes();
    return Support::no(fmt::format("dtype {} (only f32 and bf16)", to_string(dtype)));
}

/// Calls `body(T{})` with the type in memory: float or BFloat16.
template <class Body>
void with_f32_or_bf16(DType dtype, const Body& body) {
    if (dtype == DType::bf16)
        body(BFloat16{});
    else
        body(float{});
}

/// Elements of a chunk that is widened, computed on and narrowed: three buffers of them stay in the first cache.
inline constexpr std::int64_t widened_chunk = 1024;

/// Wide copies of runs of elements, and back: for loops whose arithmetic outweighs two passes through the first cache.
void widen(const BFloat16* from, float* to, std::int64_t count);
void narrow(const float* from, BFloat16* to, std::int64_t count);

// The same for loops that are written for f32 alone, whatever lies in memory: f32 is worked on where it stands.

/// `count` elements in f32: there, or a copy of them in `buffer`.
inline const float* widened(const float* from, float*, std::int64_t) { return from; }
inline const float* widened(const BFloat16* from, float* buffer, std::int64_t count) {
    widen(from, buffer, count);
    return buffer;
}
/// Where to put elements that belong to `to`: there, or into `buffer`, until `put_back` rounds them.
inline float* wide_place(float* to, float*) { return to; }
inline float* wide_place(BFloat16*, float* buffer) { return buffer; }
inline void put_back(const float*, float*, std::int64_t) {}
inline void put_back(const float* buffer, BFloat16* to, std::int64_t count) { narrow(buffer, to, count); }

/// Elements [first, last) of y = f(x), chunk by chunk: `body(const float* x, float* y, count)`. y may be x.
template <class Body>
void map_widened(const BFloat16* x, BFloat16* y, std::int64_t first, std::int64_t last, const Body& body) {
    float wide[widened_chunk];
    for (std::int64_t i = first; i < last; i += widened_chunk) {
        const std::int64_t count = std::min(widened_chunk, last - i);
        widen(x + i, wide, count);
        body(wide, wide, count);
        narrow(wide, y + i, count);
    }
}

/// The same for y = f(a, b).
template <class Body>
void map_widened(const BFloat16* a, const BFloat16* b, BFloat16* y, std::int64_t first, std::int64_t last,
                 const Body& body) {
    float wide_a[widened_chunk], wide_b[widened_chunk];
    for (std::int64_t i = first; i < last; i += widened_chunk) {
        const std::int64_t count = std::min(widened_chunk, last - i);
        widen(a + i, wide_a, count);
        widen(b + i, wide_b, count);
        body(wide_a, wide_b, wide_b, count);
        narrow(wide_b, y + i, count);
    }
}

}  // namespace heddle::kernels
