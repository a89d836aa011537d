#pragma once

#include <cstdint>

// What the CPU loops of this family share.
namespace heddle::kernels {

/// On a HEDDLE_SIMD_CLONES function: lambdas and helpers in it are inlined, so that they are compiled for its target.
#define HEDDLE_FLATTEN __attribute__((flatten))

/// Elements a thread gets at least: cheap loops are bound by memory, the others compute some nanoseconds an element.
inline constexpr std::int64_t cheap_grain = 65536, dear_grain = 8192;

/// y[i] = f(x[i]). y may be x: iterations are independent, which the compiler cannot know.
template <class From, class To, class F>
inline __attribute__((always_inline)) void map(const From* x, To* y, std::int64_t count, F f) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(x[i]);
}

/// y[i] = f(a[i], b[i]). y may be a or b.
template <class A, class B, class To, class F>
inline __attribute__((always_inline)) void map(A a, B b, To* y, std::int64_t count, F f) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) y[i] = f(a[i], b[i]);
}

}  // namespace heddle::kernels
