#pragma once

#include <cstdint>

// Branch-free float functions that compilers vectorise inside HEDDLE_SIMD_CLONES functions (libm's do not). Errors are
// in units in the last place (ulp), measured against libm in double (tests/kernels/vector_math_test.cpp). Denormal
// arguments and results count as zero. The polynomials are Chebyshev fits, highest power first.
namespace heddle::kernels::vec {

/// A loop vectorises only when everything in its body is inlined.
#define HEDDLE_VECTOR_FUNCTION inline __attribute__((always_inline))

namespace detail {
template <class T>
HEDDLE_VECTOR_FUNCTION T horner(T, T last) {
    return last;
}
template <class T, class... Rest>
HEDDLE_VECTOR_FUNCTION T horner(T x, T first, T second, Rest... rest) {
    return horner(x, first * x + second, rest...);
}

HEDDLE_VECTOR_FUNCTION float from_bits(std::int32_t bits) { return __builtin_bit_cast(float, bits); }
HEDDLE_VECTOR_FUNCTION std::int32_t to_bits(float x) { return __builtin_bit_cast(std::int32_t, x); }
HEDDLE_VECTOR_FUNCTION float copy_sign(float magnitude, float sign) {
    return from_bits((to_bits(magnitude) & 0x7FFFFFFF) | (to_bits(sign) & static_cast<std::int32_t>(0x80000000)));
}
}  // namespace detail

HEDDLE_VECTOR_FUNCTION float abs(float x) { return detail::from_bits(detail::to_bits(x) & 0x7FFFFFFF); }

/// e^x; relative error below 2e-7 (about 1.5 units in the last place); 0 below -87.3 (a denormal would be flushed),
/// +inf above 88.72; NaN stays NaN.
HEDDLE_VECTOR_FUNCTION float exp(float x) {
    const float clamped = x < -87.33654f ? -87.33654f : (x > 88.72283f ? 88.72283f : x);
    const float n = __builtin_rintf(clamped * 1.44269504f);
    // Cody and Waite: n * ln 2 in two parts keeps the reduced argument exact.
    const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = detail::horner(r, 1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                             1.6666665459e-1f, 5.0000001201e-1f);
    p = p * (r * r) + r + 1.0f;
    // Two steps of scaling reach 2^128 without overflowing the exponent field.
    const std::int32_t e = static_cast<std::int32_t>(n), half = e >> 1;
    const float y = p * detail::from_bits((half + 127) << 23) * detail::from_bits((e - half + 127) << 23);
    const float low = x < -87.33654f ? 0.0f : y;
    return x > 88.72283f ? __builtin_inff() : (x != x ? x : low);
}

/// e^x - 1, accurate near 0; below 2 ulp.
HEDDLE_VECTOR_FUNCTION float expm1(float x) {
    const float clamped = x < -18.0f ? -18.0f : (x > 88.72283f ? 88.72283f : x);
    const float n = __builtin_rintf(clamped * 1.44269504f);
    const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
    const float p =
        detail::horner(r, 1.98910805e-4f, 1.39337307e-3f, 8.33331084e-3f, 4.16664642e-2f, 1.66666667e-1f, 0.5f) *
            (r * r) +
        r;
    // 2^n p + (2^n - 1), at half the scale because 2^128 is no float.
    const float half_scale = detail::from_bits((static_cast<std::int32_t>(n) + 126) << 23);
    const float y = 2.0f * (half_scale * p + (half_scale - 0.5f));
    return x > 88.72283f ? __builtin_inff() : (n == 0.0f ? p : (x != x ? x : y));
}

namespace detail {
/// For -87.3 <= x <= 89: e^x = scale * p + scale and e^x - 1 = scale * p + (scale - 1). From x = 88.38 on, where 1 /
/// e^x is denormal, scale is +inf. NaN stays NaN.
struct Exponential {
    float scale, p;
};
HEDDLE_VECTOR_FUNCTION Exponential exponential(float x) {
    const float n = __builtin_rintf(x * 1.44269504f);
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    const float p =
        horner(r, 1.98910805e-4f, 1.39337307e-3f, 8.33331084e-3f, 4.16664642e-2f, 1.66666667e-1f, 0.5f) * (r * r) + r;
    return {from_bits((static_cast<std::int32_t>(n) + 127) << 23), p};
}

/// The logarithm of a positive normal number.
HEDDLE_VECTOR_FUNCTION float log_of_normal(float x) {
    // x = 2^e m with m in [sqrt(1/2), sqrt(2)).
    const std::int32_t shifted = to_bits(x) - 0x3F3504F3, e = shifted >> 23;
    const float f = from_bits((shifted & 0x007FFFFF) + 0x3F3504F3) - 1.0f, n = static_cast<float>(e);
    const float p = horner(f, 6.97161147e-2f, -1.14797338e-1f, 1.16854199e-1f, -1.24256873e-1f, 1.42490576e-1f,
                           -1.66678023e-1f, 2.00007157e-1f, -2.4999997e-1f, 3.33333312e-1f);
    return n * 0.693359375f + (f + (p * (f * f * f) - n * 2.12194440e-4f - 0.5f * (f * f)));
}
/// log(1 + x) for x > -1 and 1 + x finite; u is 1 + x rounded.
HEDDLE_VECTOR_FUNCTION float log1p_of_normal(float x, float u) {
    const float y = log_of_normal(u) + (x - (u - 1.0f)) / u;
    return from_bits(to_bits(x) & 0x7FFFFFFF) < 1e-4f ? x - 0.5f * (x * x) : y;
}
/// Puts the special results in: -inf at 0, NaN below, inf and NaN handed on.
HEDDLE_VECTOR_FUNCTION float log_specials(float x, float y) {
    const float low = x < 1.17549435e-38f ? (x < 0.0f ? __builtin_nanf("") : -__builtin_inff()) : y;
    return x > 3.40282347e38f ? __builtin_inff() : (x != x ? x : low);
}
}  // namespace detail

/// The natural logarithm; below 1.5 ulp; -inf at 0 (and at denormals), NaN below.
HEDDLE_VECTOR_FUNCTION float log(float x) { return detail::log_specials(x, detail::log_of_normal(x)); }

/// log(1 + x), accurate near 0; below 2 ulp.
HEDDLE_VECTOR_FUNCTION float log1p(float x) {
    const float u = 1.0f + x;
    return detail::log_specials(u, detail::log1p_of_normal(x, u));
}

/// Below 3 ulp.
HEDDLE_VECTOR_FUNCTION float sigmoid(float x) {
    const float low = -x < -87.33654f ? -87.33654f : -x;
    const auto [scale, p] = detail::exponential(low > 89.0f ? 89.0f : low);  // e^89 counts as inf, the result is 0
    return 1.0f / (scale * (p + 1.0f) + 1.0f);  // scale * p + scale would be inf - inf where scale is inf
}

/// Below 3 ulp.
HEDDLE_VECTOR_FUNCTION float tanh(float x) {
    const float a = vec::abs(x);
    const auto [scale, p] = detail::exponential(2.0f * (a > 10.0f ? 10.0f : a));
    const float t = scale * p + (scale - 1.0f);
    return detail::copy_sign(t / (t + 2.0f), x);
}

namespace detail {
/// e^(t^2) erfc(t) for t >= 0: a polynomial in u = 1 / (1 + 0.4 t), times u.
HEDDLE_VECTOR_FUNCTION float scaled_erfc(float t) {
    const float u = 1.0f / (1.0f + 0.4f * t);
    return u * horner(u, -0.0287358333f, 0.138043405f, -0.230360186f, 0.131323342f, -0.0422386952f, 0.0816830338f,
                      0.119702137f, 0.171601883f, 0.207630268f, 0.225674779f, 0.225675863f);
}
}  // namespace detail

/// Below 3 ulp.
HEDDLE_VECTOR_FUNCTION float erf(float x) {
    const float t = vec::abs(x), z = x * x;
    const float small = x * detail::horner(z, 7.87587506e-5f, -8.01686429e-4f, 5.18908742e-3f, -2.6854212e-2f,
                                           1.12835947e-1f, -3.76126267e-1f, 1.12837917f);
    const float large = 1.0f - exp(-z) * detail::scaled_erfc(t > 10.0f ? 10.0f : t);
    return t < 1.0f ? small : (x != x ? x : detail::copy_sign(large, x));
}

/// The normal distribution: Phi(x) and its density, which share one exponential.
struct NormalDistribution {
    float cumulative, density;
};
/// Relative errors below 1e-6 down to x = -5 (the exponent -x^2/2 is rounded), absolute ones below 2e-7.
HEDDLE_VECTOR_FUNCTION NormalDistribution normal_distribution(float x) {
    const float a = vec::abs(x), e = exp(-0.5f * (x * x));
    const float tail = 0.5f * e * detail::scaled_erfc((a > 20.0f ? 20.0f : a) * 0.707106781f);
    return {x < 0.0f ? tail : 1.0f - tail, e * 0.398942280f};
}

/// log(1 + e^x); below 3 ulp.
HEDDLE_VECTOR_FUNCTION float softplus(float x) {
    const float e = exp(-vec::abs(x)), y = (x > 0.0f ? x : 0.0f) + detail::log1p_of_normal(e, 1.0f + e);
    return x != x ? x : y;
}

namespace detail {
/// x = n pi/2 + r with |r| <= pi/4, in double; good to |x| = 2^26.
struct Quadrant {
    double r;
    std::int32_t n;
};
HEDDLE_VECTOR_FUNCTION Quadrant quadrant(float x) {
    const double n = __builtin_rint(static_cast<double>(x) * 0.63661977236758134);
    const double r = (static_cast<double>(x) - n * 1.570796325802803) - n * 9.9209357968054044e-10;
    return {r, static_cast<std::int32_t>(n)};
}
HEDDLE_VECTOR_FUNCTION float sine_of_quadrant(double r, std::int32_t n) {
    const double z = r * r;
    const double sine = r * horner(z, 2.7169643091101842e-06, -0.00019839160831534804, 0.0083333286450031907,
                                   -0.16666666630170537, 0.99999999999545286);
    const double cosine = horner(z, 2.437564598713959e-05, -0.0013886572586698461, 0.041666615183983013,
                                 -0.49999999599265754, 0.99999999995007172);
    const float y = static_cast<float>((n & 1) ? cosine : sine);
    return from_bits(to_bits(y) ^ ((n & 2) << 30));
}
}  // namespace detail

/// Below 1 ulp for |x| <= `trigonometric_limit`; wrong beyond.
HEDDLE_VECTOR_FUNCTION float sin(float x) {
    const detail::Quadrant q = detail::quadrant(x);
    return detail::sine_of_quadrant(q.r, q.n);
}
HEDDLE_VECTOR_FUNCTION float cos(float x) {
    const detail::Quadrant q = detail::quadrant(x);
    return detail::sine_of_quadrant(q.r, q.n + 1);
}
inline constexpr float trigonometric_limit = 0x1p26f;

/// a^b with the special cases of C's pow; below 1 ulp, because the logarithm is taken in double.
HEDDLE_VECTOR_FUNCTION float pow(float a, float b) {
    const double magnitude = static_cast<double>(vec::abs(a));
    // log2 of |a| = 2^e m.
    const std::int64_t shifted = __builtin_bit_cast(std::int64_t, magnitude) - 0x3FE6A09E667F3BCD, e = shifted >> 52;
    const double m = __builtin_bit_cast(double, (shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD);
    const double s = (m - 1.0) / (m + 1.0);
    double log2 = static_cast<double>(static_cast<std::int32_t>(e)) +
                  s * detail::horner(s * s, 0.24291608539875351, 0.26144424935229149, 0.32061638813224547,
                                     0.41219840204827518, 0.57707801724632857, 0.96179669392433453, 2.8853900817779272);
    log2 = vec::abs(a) < 1.17549435e-38f ? -__builtin_inf() : (magnitude > 3.5e38 ? __builtin_inf() : log2);
    // 2^(b log2), clamped to where floats already overflow and vanish.
    const double wanted = static_cast<double>(b) * log2;
    const double exponent = wanted > 200.0 ? 200.0 : (wanted < -200.0 ? -200.0 : wanted);
    const double n = __builtin_rint(exponent), r = exponent - n;
    const double p =
        detail::horner(r, 1.5303700711365693e-05, 0.00015469729214118296, 0.0013333478473685416, 0.009618025613318034,
                       0.055504109063258665, 0.24022651213498092, 0.69314718055683244, 0.99999999995956179);
    const auto n_bits = static_cast<std::int64_t>(static_cast<std::int32_t>(n)) + 1023;
    float y = static_cast<float>(p * __builtin_bit_cast(double, n_bits << 52));

    const bool whole = __builtin_floorf(b) == b;
    const bool odd = whole & (__builtin_floorf(b * 0.5f) * 2.0f != b);
    const std::int32_t sign = detail::to_bits(a) & (odd ? static_cast<std::int32_t>(0x80000000) : 0);
    y = vec::abs(a) == 1.0f ? 1.0f : y;
    y = detail::from_bits(detail::to_bits(y) | sign);
    y = (a < 0.0f) & !whole & (a >= -3.40282347e38f) ? __builtin_nanf("") : y;
    y = (a != a) | (b != b) ? a + b : y;
    return (b == 0.0f) | (a == 1.0f) ? 1.0f : y;
}

}  // namespace heddle::kernels::vec
