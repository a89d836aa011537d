#pragma once

// CUDA's mathematical functions and intrinsics that the C++ library does not have (included by sim.h). Fast intrinsics
// are exact to the last bits here, on a GPU they are not: tolerances must allow for that.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/simt/runtime.h"

namespace heddle::simt {

inline float reciprocal_root(float x) { return 1.0f / std::sqrt(x); }

/// fmaxf and fminf for floating point (a NaN loses), as in CUDA.
template <class A, class B>
constexpr auto larger(A a, B b) {
    using Common = std::common_type_t<A, B>;
    const Common x = static_cast<Common>(a), y = static_cast<Common>(b);
    if constexpr (std::is_floating_point_v<Common>)
        return std::fmax(x, y);
    else
        return x < y ? y : x;
}
template <class A, class B>
constexpr auto smaller(A a, B b) {
    using Common = std::common_type_t<A, B>;
    const Common x = static_cast<Common>(a), y = static_cast<Common>(b);
    if constexpr (std::is_floating_point_v<Common>)
        return std::fmin(x, y);
    else
        return y < x ? y : x;
}

/// To an integer, as a GPU converts: out of range to the nearest end, NaN to 0.
template <class Integer, class Real>
Integer convert(Real x) {
    if (std::isnan(x)) return 0;
    constexpr auto limits = std::numeric_limits<Integer>{};
    if (x <= static_cast<Real>(limits.min())) return limits.min();
    if (x >= static_cast<Real>(limits.max())) return limits.max();
    return static_cast<Integer>(x);
}

}  // namespace heddle::simt

template <class A, class B>
requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr auto max(A a, B b) { return heddle::simt::larger(a, b); }
template <class A, class B>
requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr auto min(A a, B b) { return heddle::simt::smaller(a, b); }

// The C library declares some of these names, and defines none: hence macros.
#define __expf(x) (::expf(x))
#define __exp10f(x) (::exp10f(x))
#define __logf(x) (::logf(x))
#define __log2f(x) (::log2f(x))
#define __log10f(x) (::log10f(x))
#define __powf(x, y) (::powf(x, y))
#define __sinf(x) (::sinf(x))
#define __cosf(x) (::cosf(x))
#define __tanf(x) (::tanf(x))
#define __tanhf(x) (::tanhf(x))
#define __sincosf(x, sine, cosine) (::sincosf(x, sine, cosine))

inline float rsqrtf(float x) { return heddle::simt::reciprocal_root(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float rcbrtf(float x) { return 1.0f / std::cbrt(x); }
inline float fdividef(float x, float y) { return x / y; }
inline float __fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }
inline float normcdff(float x) { return 0.5f * std::erfc(-x * 0.70710678f); }
inline double normcdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752); }
inline void sincospif(float x, float* sine, float* cosine) {
    const double angle = static_cast<double>(x) * 3.14159265358979323846;
    *sine = static_cast<float>(std::sin(angle));
    *cosine = static_cast<float>(std::cos(angle));
}
inline float sinpif(float x) { return static_cast<float>(std::sin(static_cast<double>(x) * 3.14159265358979323846)); }
inline float cospif(float x) { return static_cast<float>(std::cos(static_cast<double>(x) * 3.14159265358979323846)); }

// Rounded to nearest even, and never contracted.
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __frsqrt_rn(float x) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(x))); }

// Bits.
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline int __ffsll(long long x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned long long>(x)) + 1; }
inline unsigned __brev(unsigned x) {
    unsigned reversed = 0;
    for (int i = 0; i < 32; ++i) reversed |= (x >> i & 1u) << (31 - i);
    return reversed;
}
/// Byte i of the result is byte (selector >> 4 i & 7) of the eight in y:x.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(y) << 32 | x;
    unsigned result = 0;
    for (int i = 0; i < 4; ++i) result |= static_cast<unsigned>(bytes >> (selector >> 4 * i & 7u) * 8 & 0xffu) << 8 * i;
    return result;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((static_cast<std::uint64_t>(high) << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((static_cast<std::uint64_t>(high) << 32 | low) >> (shift & 31));
}
inline unsigned __umulhi(unsigned x, unsigned y) {
    return static_cast<unsigned>(static_cast<std::uint64_t>(x) * y >> 32);
}
inline int __mulhi(int x, int y) { return static_cast<int>(static_cast<std::int64_t>(x) * y >> 32); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<unsigned long long>(static_cast<Wide>(x) * y >> 64);
}

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

// Conversions.
inline int __float2int_rn(float x) { return heddle::simt::convert<int>(std::nearbyint(x)); }
inline int __float2int_rz(float x) { return heddle::simt::convert<int>(std::trunc(x)); }
inline int __float2int_rd(float x) { return heddle::simt::convert<int>(std::floor(x)); }
inline int __float2int_ru(float x) { return heddle::simt::convert<int>(std::ceil(x)); }
inline unsigned __float2uint_rn(float x) { return heddle::simt::convert<unsigned>(std::nearbyint(x)); }
inline unsigned __float2uint_rz(float x) { return heddle::simt::convert<unsigned>(std::trunc(x)); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
