#pragma once

#include <cstdint>

#include "kernels/register_block.h"

// The transforms of Winograd's F(4x4, 3x3) for one vector of channels at a time (Lavin and Gray, 2015,
// arXiv:1509.09308): tiles of 6x6 inputs, filters of 3x3 and tiles of 4x4 outputs meet as 36 products in between.
// Polynomials are interpolated at 0, +-a, +-b and infinity; 5/8 and 3/2 round to a fraction of the error of the paper's
// 1 and 2.
namespace heddle::kernels::winograd {

using namespace block;
inline constexpr std::int64_t components = 36;

inline constexpr float a = 0.625f, b = 1.5f, a2 = a * a, b2 = b * b, plus2 = a2 + b2, times2 = a2 * b2;
inline constexpr float at_a = 1 / (2 * a2 * (a2 - b2)), at_b = 1 / (2 * b2 * (b2 - a2));

// One-dimensional transforms: x(i) and y(i) refer to the values.
struct Input {  // B^T d
    static constexpr int in = 6, out = 6;
    template <class V, class X, class Y>
    HEDDLE_INLINE static void apply(const X& x, const Y& y) {
        const V d0 = x(0), d1 = x(1), d2 = x(2), d3 = x(3), d4 = x(4), d5 = x(5);
        const V even_a = d4 - b2 * d2, odd_a = a * d3 - (a * b2) * d1;
        const V even_b = d4 - a2 * d2, odd_b = b * d3 - (b * a2) * d1;
        y(0) = times2 * d0 - plus2 * d2 + d4;
        y(1) = even_a + odd_a;
        y(2) = even_a - odd_a;
        y(3) = even_b + odd_b;
        y(4) = even_b - odd_b;
        y(5) = times2 * d1 - plus2 * d3 + d5;
    }
};

struct Output {  // A^T m
    static constexpr int in = 6, out = 4;
    template <class V, class X, class Y>
    HEDDLE_INLINE static void apply(const X& x, const Y& y) {
        const V m0 = x(0), m1 = x(1), m2 = x(2), m3 = x(3), m4 = x(4), m5 = x(5);
        const V even_a = m1 + m2, odd_a = m1 - m2, even_b = m3 + m4, odd_b = m3 - m4;
        y(0) = m0 + even_a + even_b;
        y(1) = a * odd_a + b * odd_b;
        y(2) = a2 * even_a + b2 * even_b;
        y(3) = (a * a2) * odd_a + (b * b2) * odd_b + m5;
    }
};

struct OutputGradient {  // A dy
    static constexpr int in = 4, out = 6;
    template <class V, class X, class Y>
    HEDDLE_INLINE static void apply(const X& x, const Y& y) {
        const V d0 = x(0), d1 = x(1), d2 = x(2), d3 = x(3);
        const V even_a = d0 + a2 * d2, odd_a = a * d1 + (a * a2) * d3;
        const V even_b = d0 + b2 * d2, odd_b = b * d1 + (b * b2) * d3;
        y(0) = d0;
        y(1) = even_a + odd_a;
        y(2) = even_a - odd_a;
        y(3) = even_b + odd_b;
        y(4) = even_b - odd_b;
        y(5) = d3;
    }
};

struct Filter {  // G g
    static constexpr int in = 3, out = 6;
    template <class V, class X, class Y>
    HEDDLE_INLINE static void apply(const X& x, const Y& y) {
        const V g0 = x(0), g1 = x(1), g2 = x(2);
        const V even_a = at_a * g0 + (at_a * a2) * g2, odd_a = (at_a * a) * g1;
        const V even_b = at_b * g0 + (at_b * b2) * g2, odd_b = (at_b * b) * g1;
        y(0) = (1 / times2) * g0;
        y(1) = even_a + odd_a;
        y(2) = even_a - odd_a;
        y(3) = even_b + odd_b;
        y(4) = even_b - odd_b;
        y(5) = g2;
    }
};

struct FilterGradient {  // G^T du
    static constexpr int in = 6, out = 3;
    template <class V, class X, class Y>
    HEDDLE_INLINE static void apply(const X& x, const Y& y) {
        const V u0 = x(0), u1 = x(1), u2 = x(2), u3 = x(3), u4 = x(4), u5 = x(5);
        const V even_a = at_a * (u1 + u2), even_b = at_b * (u3 + u4);
        y(0) = (1 / times2) * u0 + even_a + even_b;
        y(1) = (at_a * a) * (u1 - u2) + (at_b * b) * (u3 - u4);
        y(2) = a2 * even_a + b2 * even_b + u5;
    }
};

/// T x T^transposed for `in` x `in` values: x(i, j) and y(i, j) refer to them.
template <class T, class V, class X, class Y>
HEDDLE_INLINE void transform_2d(const X& x, const Y& y) {
    V middle[T::out * T::in];
    for (int j = 0; j < T::in; ++j)
        T::template apply<V>([&](int i) HEDDLE_INLINE_LAMBDA -> const UnalignedOf<V>& { return x(i, j); },
                             [&](int i) HEDDLE_INLINE_LAMBDA -> V& { return middle[i * T::in + j]; });
    for (int i = 0; i < T::out; ++i)
        T::template apply<V>([&](int j) HEDDLE_INLINE_LAMBDA -> const V& { return middle[i * T::in + j]; },
                             [&](int j) HEDDLE_INLINE_LAMBDA -> UnalignedOf<V>& { return y(i, j); });
}

}  // namespace heddle::kernels::winograd
