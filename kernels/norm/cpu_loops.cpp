#include "kernels/norm/cpu_loops.h"

#include "core/parallel.h"

// Four strips at a time where sums are taken: the sums, which live in the first cache, are then loaded and stored once
// for four. `ivdep`: outputs are either other memory or exactly the input (in place), never shifted.
namespace heddle::kernels {

HEDDLE_SIMD_CLONES void add_values(const Strips& strips, std::int64_t count, const float* x, float* sum) {
    const std::int64_t strip = strips.strip;
    for (; count >= strip; count -= strip, x += strip) {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < strip; ++j) sum[j] += x[j];
    }
#pragma GCC ivdep
    for (std::int64_t j = 0; j < count; ++j) sum[j] += x[j];
}

HEDDLE_SIMD_CLONES void add_moments(const Strips& strips, std::int64_t count, const float* x, const float* pivot,
                                    float* sum, float* squares) {
    const std::int64_t strip = strips.strip;
    for (; count >= 4 * strip; count -= 4 * strip, x += 4 * strip) {
        const float *x1 = x + strip, *x2 = x1 + strip, *x3 = x2 + strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < strip; ++j) {
            const float d0 = x[j] - pivot[j], d1 = x1[j] - pivot[j], d2 = x2[j] - pivot[j], d3 = x3[j] - pivot[j];
            sum[j] += (d0 + d1) + (d2 + d3);
            squares[j] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
        }
    }
    for (; count > 0; count -= strip, x += strip) {
        const std::int64_t length = count < strip ? count : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j) {
            const float d = x[j] - pivot[j];
            sum[j] += d;
            squares[j] += d * d;
        }
    }
}

HEDDLE_SIMD_CLONES void normalize(const Strips& strips, std::int64_t count, const float* x, const float* residual,
                                  const float* mean, const float* factor, const float* shift, float floor, float* y) {
    const std::int64_t strip = strips.strip;
    for (; count > 0; count -= strip, x += strip, y += strip) {
        const std::int64_t length = count < strip ? count : strip;
        if (residual) {
#pragma GCC ivdep
            for (std::int64_t j = 0; j < length; ++j) {
                const float value = (x[j] - mean[j]) * factor[j] + (shift[j] + residual[j]);
                y[j] = value < floor ? floor : value;
            }
            residual += strip;
        } else {
#pragma GCC ivdep
            for (std::int64_t j = 0; j < length; ++j) {
                const float value = (x[j] - mean[j]) * factor[j] + shift[j];
                y[j] = value < floor ? floor : value;
            }
        }
    }
}

namespace {

// What the gradient loops read as g: dy itself, or dy where y > 0.
struct Plain {
    const float* dy;
    float operator()(std::int64_t i) const { return dy[i]; }
};
struct Masked {
    const float* dy;
    const float* y;
    float operator()(std::int64_t i) const {
        const float value = dy[i];
        return y[i] > 0 ? value : 0.0f;
    }
};

template <bool store, class Gradient>
[[gnu::always_inline]] inline void add_gradients_of(const Strips& strips, std::int64_t count, const float* x,
                                                    const Gradient gradient, const float* mean, float* sum,
                                                    float* products, float* masked) {
    const std::int64_t strip = strips.strip;
    std::int64_t i = 0;
    for (; i + 2 * strip <= count; i += 2 * strip) {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < strip; ++j) {
            const float g0 = gradient(i + j), g1 = gradient(i + strip + j);
            sum[j] += g0 + g1;
            products[j] += g0 * (x[i + j] - mean[j]) + g1 * (x[i + strip + j] - mean[j]);
            if constexpr (store) masked[i + j] = g0, masked[i + strip + j] = g1;
        }
    }
    for (; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j) {
            const float g = gradient(i + j);
            sum[j] += g;
            products[j] += g * (x[i + j] - mean[j]);
            if constexpr (store) masked[i + j] = g;
        }
    }
}

template <class Gradient>
[[gnu::always_inline]] inline void data_gradient_of(const Strips& strips, std::int64_t count, const float* x,
                                                    const Gradient gradient, const float* mean, const float* factor,
                                                    const float* slope, const float* constant, float* dx) {
    const std::int64_t strip = strips.strip;
    for (std::int64_t i = 0; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j)
            dx[i + j] = factor[j] * gradient(i + j) - ((x[i + j] - mean[j]) * slope[j] + constant[j]);
    }
}

template <class Gradient>
[[gnu::always_inline]] inline void scaled_gradient_of(const Strips& strips, std::int64_t count, const Gradient gradient,
                                                      const float* factor, float* dx) {
    const std::int64_t strip = strips.strip;
    for (std::int64_t i = 0; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j) dx[i + j] = factor[j] * gradient(i + j);
    }
}

}  // namespace

HEDDLE_SIMD_CLONES void add_gradients(const Strips& strips, std::int64_t count, const float* x, const float* y,
                                      const float* dy, const float* mean, float* sum, float* products, float* masked) {
    if (y && masked)
        add_gradients_of<true>(strips, count, x, Masked{dy, y}, mean, sum, products, masked);
    else if (y)
        add_gradients_of<false>(strips, count, x, Masked{dy, y}, mean, sum, products, masked);
    else if (masked)
        add_gradients_of<true>(strips, count, x, Plain{dy}, mean, sum, products, masked);
    else
        add_gradients_of<false>(strips, count, x, Plain{dy}, mean, sum, products, masked);
}

HEDDLE_SIMD_CLONES void data_gradient(const Strips& strips, std::int64_t count, const float* x, const float* y,
                                      const float* dy, const float* mean, const float* factor, const float* slope,
                                      const float* constant, float* dx) {
    if (y)
        data_gradient_of(strips, count, x, Masked{dy, y}, mean, factor, slope, constant, dx);
    else
        data_gradient_of(strips, count, x, Plain{dy}, mean, factor, slope, constant, dx);
}

HEDDLE_SIMD_CLONES void scaled_gradient(const Strips& strips, std::int64_t count, const float* y, const float* dy,
                                        const float* factor, float* dx) {
    if (y)
        scaled_gradient_of(strips, count, Masked{dy, y}, factor, dx);
    else
        scaled_gradient_of(strips, count, Plain{dy}, factor, dx);
}

HEDDLE_SIMD_CLONES void fold(const Strips& strips, const float* strip, double* total) {
    fold_strip(strips, strip, total);
}

}  // namespace heddle::kernels
