#include "kernels/norm/cpu_loops.h"

#include "core/parallel.h"

// Four strips at a time where sums are taken: the sums, which live in the first cache, are then loaded and stored once
// for four. `ivdep`: outputs are either other memory or exactly the input (in place), never shifted.
namespace heddle::kernels {

namespace {

template <class T>
[[gnu::always_inline]] inline void add_values_in(const Strips& strips, std::int64_t count, const T* x, float* sum) {
    const std::int64_t strip = strips.strip;
    for (; count >= strip; count -= strip, x += strip) {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < strip; ++j) sum[j] += load(x[j]);
    }
#pragma GCC ivdep
    for (std::int64_t j = 0; j < count; ++j) sum[j] += load(x[j]);
}

template <class T>
[[gnu::always_inline]] inline void add_moments_in(const Strips& strips, std::int64_t count, const T* x,
                                                  const float* pivot, float* sum, float* squares) {
    const std::int64_t strip = strips.strip;
    for (; count >= 4 * strip; count -= 4 * strip, x += 4 * strip) {
        const T *x1 = x + strip, *x2 = x1 + strip, *x3 = x2 + strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < strip; ++j) {
            const float d0 = load(x[j]) - pivot[j], d1 = load(x1[j]) - pivot[j], d2 = load(x2[j]) - pivot[j],
                        d3 = load(x3[j]) - pivot[j];
            sum[j] += (d0 + d1) + (d2 + d3);
            squares[j] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
        }
    }
    for (; count > 0; count -= strip, x += strip) {
        const std::int64_t length = count < strip ? count : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j) {
            const float d = load(x[j]) - pivot[j];
            sum[j] += d;
            squares[j] += d * d;
        }
    }
}

template <class T>
[[gnu::always_inline]] inline void normalize_in(const Strips& strips, std::int64_t count, const T* x, const T* residual,
                                                const float* mean, const float* factor, const float* shift, float floor,
                                                T* y) {
    const std::int64_t strip = strips.strip;
    for (; count > 0; count -= strip, x += strip, y += strip) {
        const std::int64_t length = count < strip ? count : strip;
        if (residual) {
#pragma GCC ivdep
            for (std::int64_t j = 0; j < length; ++j) {
                const float value = (load(x[j]) - mean[j]) * factor[j] + (shift[j] + load(residual[j]));
                store(y[j], value < floor ? floor : value);
            }
            residual += strip;
        } else {
#pragma GCC ivdep
            for (std::int64_t j = 0; j < length; ++j) {
                const float value = (load(x[j]) - mean[j]) * factor[j] + shift[j];
                store(y[j], value < floor ? floor : value);
            }
        }
    }
}

// What the gradient loops read as g: dy itself, or dy where y > 0.
template <class T>
struct Plain {
    const T* dy;
    float operator()(std::int64_t i) const { return load(dy[i]); }
};
template <class T>
struct Masked {
    const T* dy;
    const T* y;
    float operator()(std::int64_t i) const {
        const float value = load(dy[i]);
        return load(y[i]) > 0 ? value : 0.0f;
    }
};

template <bool keep, class T, class Gradient>
[[gnu::always_inline]] inline void add_gradients_of(const Strips& strips, std::int64_t count, const T* x,
                                                    const Gradient gradient, const float* mean, float* sum,
                                                    float* products, T* masked) {
    const std::int64_t strip = strips.strip;
    std::int64_t i = 0;
    for (; i + 2 * strip <= count; i += 2 * strip) {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < strip; ++j) {
            const float g0 = gradient(i + j), g1 = gradient(i + strip + j);
            sum[j] += g0 + g1;
            products[j] += g0 * (load(x[i + j]) - mean[j]) + g1 * (load(x[i + strip + j]) - mean[j]);
            if constexpr (keep) store(masked[i + j], g0), store(masked[i + strip + j], g1);
        }
    }
    for (; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j) {
            const float g = gradient(i + j);
            sum[j] += g;
            products[j] += g * (load(x[i + j]) - mean[j]);
            if constexpr (keep) store(masked[i + j], g);
        }
    }
}

template <class T, class Gradient>
[[gnu::always_inline]] inline void data_gradient_of(const Strips& strips, std::int64_t count, const T* x,
                                                    const Gradient gradient, const float* mean, const float* factor,
                                                    const float* slope, const float* constant, T* dx) {
    const std::int64_t strip = strips.strip;
    for (std::int64_t i = 0; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j)
            store(dx[i + j], factor[j] * gradient(i + j) - ((load(x[i + j]) - mean[j]) * slope[j] + constant[j]));
    }
}

template <class T, class Gradient>
[[gnu::always_inline]] inline void scaled_gradient_of(const Strips& strips, std::int64_t count, const Gradient gradient,
                                                      const float* factor, T* dx) {
    const std::int64_t strip = strips.strip;
    for (std::int64_t i = 0; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j) store(dx[i + j], factor[j] * gradient(i + j));
    }
}

template <class T>
[[gnu::always_inline]] inline void add_gradients_in(const Strips& strips, std::int64_t count, const T* x, const T* y,
                                                    const T* dy, const float* mean, float* sum, float* products,
                                                    T* masked) {
    if (y && masked)
        add_gradients_of<true>(strips, count, x, Masked<T>{dy, y}, mean, sum, products, masked);
    else if (y)
        add_gradients_of<false>(strips, count, x, Masked<T>{dy, y}, mean, sum, products, masked);
    else if (masked)
        add_gradients_of<true>(strips, count, x, Plain<T>{dy}, mean, sum, products, masked);
    else
        add_gradients_of<false>(strips, count, x, Plain<T>{dy}, mean, sum, products, masked);
}

template <class T>
[[gnu::always_inline]] inline void data_gradient_in(const Strips& strips, std::int64_t count, const T* x, const T* y,
                                                    const T* dy, const float* mean, const float* factor,
                                                    const float* slope, const float* constant, T* dx) {
    if (y)
        data_gradient_of(strips, count, x, Masked<T>{dy, y}, mean, factor, slope, constant, dx);
    else
        data_gradient_of(strips, count, x, Plain<T>{dy}, mean, factor, slope, constant, dx);
}

template <class T>
[[gnu::always_inline]] inline void scaled_gradient_in(const Strips& strips, std::int64_t count, const T* y, const T* dy,
                                                      const float* factor, T* dx) {
    if (y)
        scaled_gradient_of(strips, count, Masked<T>{dy, y}, factor, dx);
    else
        scaled_gradient_of(strips, count, Plain<T>{dy}, factor, dx);
}

}  // namespace

// Templates cannot be cloned for processors, so each loop has a function for each type in memory.
HEDDLE_SIMD_CLONES void add_values(const Strips& s, std::int64_t n, const float* x, float* sum) {
    add_values_in(s, n, x, sum);
}
HEDDLE_SIMD_CLONES void add_moments(const Strips& s, std::int64_t n, const float* x, const float* pivot, float* sum,
                                    float* squares) {
    add_moments_in(s, n, x, pivot, sum, squares);
}
HEDDLE_SIMD_CLONES void normalize(const Strips& s, std::int64_t n, const float* x, const float* residual,
                                  const float* mean, const float* factor, const float* shift, float floor, float* y) {
    normalize_in(s, n, x, residual, mean, factor, shift, floor, y);
}
HEDDLE_SIMD_CLONES void add_gradients(const Strips& s, std::int64_t n, const float* x, const float* y, const float* dy,
                                      const float* mean, float* sum, float* products, float* masked) {
    add_gradients_in(s, n, x, y, dy, mean, sum, products, masked);
}
HEDDLE_SIMD_CLONES void data_gradient(const Strips& s, std::int64_t n, const float* x, const float* y, const float* dy,
                                      const float* mean, const float* factor, const float* slope, const float* constant,
                                      float* dx) {
    data_gradient_in(s, n, x, y, dy, mean, factor, slope, constant, dx);
}
HEDDLE_SIMD_CLONES void scaled_gradient(const Strips& s, std::int64_t n, const float* y, const float* dy,
                                        const float* factor, float* dx) {
    scaled_gradient_in(s, n, y, dy, factor, dx);
}

HEDDLE_SIMD_CLONES void add_values(const Strips& s, std::int64_t n, const BFloat16* x, float* sum) {
    add_values_in(s, n, x, sum);
}
HEDDLE_SIMD_CLONES void add_moments(const Strips& s, std::int64_t n, const BFloat16* x, const float* pivot, float* sum,
                                    float* squares) {
    add_moments_in(s, n, x, pivot, sum, squares);
}
HEDDLE_SIMD_CLONES void normalize(const Strips& s, std::int64_t n, const BFloat16* x, const BFloat16* residual,
                                  const float* mean, const float* factor, const float* shift, float floor,
                                  BFloat16* y) {
    normalize_in(s, n, x, residual, mean, factor, shift, floor, y);
}
HEDDLE_SIMD_CLONES void add_gradients(const Strips& s, std::int64_t n, const BFloat16* x, const BFloat16* y,
                                      const BFloat16* dy, const float* mean, float* sum, float* products,
                                      BFloat16* masked) {
    add_gradients_in(s, n, x, y, dy, mean, sum, products, masked);
}
HEDDLE_SIMD_CLONES void data_gradient(const Strips& s, std::int64_t n, const BFloat16* x, const BFloat16* y,
                                      const BFloat16* dy, const float* mean, const float* factor, const float* slope,
                                      const float* constant, BFloat16* dx) {
    data_gradient_in(s, n, x, y, dy, mean, factor, slope, constant, dx);
}
HEDDLE_SIMD_CLONES void scaled_gradient(const Strips& s, std::int64_t n, const BFloat16* y, const BFloat16* dy,
                                        const float* factor, BFloat16* dx) {
    scaled_gradient_in(s, n, y, dy, factor, dx);
}

HEDDLE_SIMD_CLONES void fold(const Strips& strips, const float* strip, double* total) {
    fold_strip(strips, strip, total);
}

}  // namespace heddle::kernels
