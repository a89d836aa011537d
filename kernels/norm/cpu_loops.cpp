#include "kernels/norm/cpu_loops.h"

#include <algorithm>

#include "core/parallel.h"
#include "kernels/norm/cpu_sums.h"

namespace heddle::kernels {
namespace {

template <class T>
HEDDLE_INLINE void add_values_in(const Strips& strips, std::int64_t count, const T* x, float* sum) {
    const std::int64_t strip = strips.strip;
    for (; count >= strip; count -= strip, x += strip) {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < strip; ++j) sum[j] += load(x[j]);
    }
#pragma GCC ivdep
    for (std::int64_t j = 0; j < count; ++j) sum[j] += load(x[j]);
}

/// Returns how many elements it took.
template <int width, class T>
HEDDLE_INLINE std::int64_t add_moments_in_registers(std::int64_t count, const T* x, const float* pivot, float* sum,
                                                    float* squares) {
    constexpr std::int64_t step = width * lanes;
    Lanes pivots[width];
    for (int v = 0; v < width; ++v) get(pivots[v], pivot + v * lanes);
    std::int64_t i = 0;
    while (i + step <= count) {
        Lanes sums[width] = {}, products[width] = {};
        const std::int64_t end = std::min(i + longest_run * step, count / step * step);
        for (; i < end; i += step)
            for (int v = 0; v < width; ++v) {
                Lanes d;
                get(d, x + i + v * lanes);
                d -= pivots[v];
                sums[v] += d;
                products[v] += d * d;
            }
        for (int v = 0; v < width; ++v) {
            add_to(sum + v * lanes, sums[v]);
            add_to(squares + v * lanes, products[v]);
        }
    }
    return i;
}

template <class T>
HEDDLE_INLINE void add_moments_in(const Strips& strips, std::int64_t count, const T* x, const float* pivot, float* sum,
                                  float* squares) {
    const std::int64_t strip = strips.strip;
    if (std::int64_t done = 0; with_vectors(strips, [&](auto width) HEDDLE_INLINE_LAMBDA {
            done = add_moments_in_registers<width()>(count, x, pivot, sum, squares);
        })) {
        x += done;
        count -= done;
    }
    for (; count >= 4 * strip; count -= 4 * strip, x += 4 * strip)
        for (std::int64_t first = 0; first < strip; first += prefetched) {
            const std::int64_t last = std::min(first + prefetched, strip);
            foresee(x + 8 * strip, 4 * first, 4 * (last - first));
            const T *x1 = x + strip, *x2 = x1 + strip, *x3 = x2 + strip;
#pragma GCC ivdep
            for (std::int64_t j = first; j < last; ++j) {
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
HEDDLE_INLINE void normalize_in(const Strips& strips, std::int64_t count, const T* x, const T* residual,
                                const float* mean, const float* factor, const float* shift, float floor, T* y) {
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

HEDDLE_SIMD_CLONES void fold(const Strips& strips, const float* strip, double* total) {
    fold_strip(strips, strip, total);
}

}  // namespace heddle::kernels
