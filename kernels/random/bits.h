#pragma once

#include <cmath>
#include <limits>

#include "core/random.h"
#include "kernels/random/random.h"

// The steps from random bits to values that implementations share: all of those that must agree in every bit, and the
// fast paths' normals, which agree with the reference to their accuracy.
namespace heddle::kernels {

inline std::uint64_t stream_offset(const RandomState& state) {
    return state.offset + (state.device_offset ? *state.device_offset : 0);
}

/// Maps 24 bits into [low, high): one rounding, which must not reach `high`.
template <class T>
struct UniformRange {
    T low, width, last, high;

    UniformRange(double from, double to)
        : low(static_cast<T>(from)),
          width(static_cast<T>(to - from)),
          last(std::nextafter(static_cast<T>(to), static_cast<T>(from))),
          high(static_cast<T>(to)) {}

    HEDDLE_HD T operator()(std::uint32_t bits) const {
        const T y = fused(width, static_cast<T>(Philox::uniform(bits)), low);
        return y < high ? y : last;
    }

  private:
    // A builtin, so that the result does not depend on whether the compiler contracts.
    HEDDLE_HD static float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
    HEDDLE_HD static double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
};

/// Dropout keeps an element where (bits >> 8) >= this.
inline std::uint32_t dropout_threshold(float rate) {
    return static_cast<std::uint32_t>(std::ceil(double(rate) * 0x1p24));
}

/// 1 / (1 - rate); a rate of 1 keeps nothing to scale.
inline double dropout_scale(float rate) { return rate < 1 ? 1 / (1 - double(rate)) : 0; }

/// erf(sqrt(2)): the probability of lying within two deviations.
inline constexpr double within_two_deviations = 0.95449973610364158;

/// Odd multiples of 2^-23 in (-1, 1), from 23 bits: symmetric, and exact in float.
HEDDLE_HD inline float symmetric_uniform(std::uint32_t bits) {
    const std::int32_t odd = static_cast<std::int32_t>((bits >> 9) << 1) + 1 - (1 << 23);
    return static_cast<float>(odd) * 0x1p-23f;
}

struct SineCosine {
    float sine, cosine;
};

/// Of 2 pi `turns`, 0 <= turns < 1: the reduction to an eighth of a turn is exact.
[[gnu::always_inline]] HEDDLE_HD inline SineCosine sine_cosine(float turns) {
    const float quarter = __builtin_rintf(turns * 4);
    const float a = (turns - quarter * 0.25f) * 6.28318530717958648f, z = a * a;
    const float s = a + a * z * ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z + -1.6666654611e-1f);
    const float c = 1 - 0.5f * z + z * z * ((2.44331571e-5f * z + -1.38873163e-3f) * z + 4.16666457e-2f);
    const std::int32_t q = static_cast<std::int32_t>(quarter);
    const float sine = q & 1 ? c : s, cosine = q & 1 ? s : c;
    return {q & 2 ? -sine : sine, (q + 1) & 2 ? -cosine : cosine};
}

/// The normal deviate with P(-2 .. it) / P(-2 .. 2) = (1 + symmetric_uniform(bits)) / 2, by M. Giles, "Approximating
/// the erfinv function" (GPU Computing Gems, 2011): the branch for w < 5 is enough. `logarithm` is the caller's.
template <class Logarithm>
[[gnu::always_inline]] HEDDLE_HD inline float truncated_deviate(std::uint32_t bits, const Logarithm& logarithm) {
    const float p = static_cast<float>(within_two_deviations) * symmetric_uniform(bits);
    const float w = -logarithm((1 - p) * (1 + p)) - 2.5f;
    float r = 2.81022636e-08f * w + 3.43273939e-07f;
    r = r * w + -3.5233877e-06f;
    r = r * w + -4.39150654e-06f;
    r = r * w + 0.00021858087f;
    r = r * w + -0.00125372503f;
    r = r * w + -0.00417768164f;
    r = r * w + 0.246640727f;
    r = r * w + 1.50140941f;
    const float z = r * p * 1.41421356237309505f;
    return z > 2 ? 2 : (z < -2 ? -2 : z);  // not beyond the cut by a rounding
}

/// A choice among 0 .. count - 1 from 64 bits.
HEDDLE_HD inline std::int64_t choose_below(const Philox::Block& block, std::int64_t count) {
    const std::uint64_t bits = (std::uint64_t{block.word[1]} << 32) | block.word[0];
    // The upper half of the 128-bit product, by 32-bit limbs of `count` (ISO C++ has no 128-bit integer).
    const std::uint64_t n = static_cast<std::uint64_t>(count), n0 = n & 0xFFFFFFFFu, n1 = n >> 32;
    const std::uint64_t b0 = bits & 0xFFFFFFFFu, b1 = bits >> 32;
    const std::uint64_t middle = b1 * n0 + ((b0 * n0) >> 32);
    const std::uint64_t low = b0 * n1 + (middle & 0xFFFFFFFFu);
    return static_cast<std::int64_t>(b1 * n1 + (middle >> 32) + (low >> 32));
}

}  // namespace heddle::kernels
