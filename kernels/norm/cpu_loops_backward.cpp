#include "kernels/norm/cpu_loops.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/norm/cpu_sums.h"

namespace heddle::kernels {
namespace {

// What the gradient loops read as g: dy itself, or dy where y > 0 or was. Of an element, or of as many as a vector has.
template <class T>
struct Plain {
    const T* dy;
    float operator()(std::int64_t i) const { return load(dy[i]); }
    HEDDLE_INLINE void get_lanes(Lanes& g, std::int64_t i) const { get(g, dy + i); }
    HEDDLE_INLINE void foresee_lines(std::int64_t first, std::int64_t count) const { foresee(dy, first, count); }
};
template <class T>
struct Masked {
    const T* dy;
    const T* y;
    float operator()(std::int64_t i) const {
        const float value = load(dy[i]);
        return load(y[i]) > 0 ? value : 0.0f;
    }
    HEDDLE_INLINE void get_lanes(Lanes& g, std::int64_t i) const {
        Lanes at;
        detail::Words mask;
        get(g, dy + i);
        get(at, y + i);
        where_positive(mask, at);
        keep(g, mask);
    }
    HEDDLE_INLINE void foresee_lines(std::int64_t first, std::int64_t count) const {
        foresee(dy, first, count);
        foresee(y, first, count);
    }
};

// Element i of the signs: word i % 16 of the 16 that 512 elements share, bit i / 16 % 32. So vectors need no shuffles.
using Words = detail::Words;
constexpr std::int64_t sign_group = 32 * lanes;

template <class T>
struct Signed {
    const T* dy;
    const std::uint32_t* signs;
    std::int64_t offset;
    float operator()(std::int64_t i) const {
        const auto at = static_cast<std::uint64_t>(offset + i);
        const std::uint32_t word = signs[at / sign_group * lanes + at % lanes];
        return (word >> (at / lanes % 32) & 1) != 0 ? load(dy[i]) : 0.0f;
    }
    HEDDLE_INLINE void get_lanes(Lanes& g, std::int64_t i) const {
        const auto at = static_cast<std::uint64_t>(offset + i);
        Words words, mask;
        std::memcpy(&words, signs + at / sign_group * lanes, sizeof(words));
        get(g, dy + i);
        where_set(mask, words, at / lanes % 32);
        keep(g, mask);
    }
    HEDDLE_INLINE void foresee_lines(std::int64_t first, std::int64_t count) const { foresee(dy, first, count); }
};

template <class T>
HEDDLE_INLINE void find_signs_in(std::int64_t count, const T* y, std::uint32_t* signs) {
    for (; count > 0; count -= sign_group, y += sign_group, signs += lanes) {
        const std::int64_t length = count < sign_group ? count : sign_group;
        Words words{};
        std::int64_t i = 0;
        for (std::uint32_t bit = 1; i + lanes <= length; i += lanes, bit += bit) {
            Lanes value;
            Words mask;
            get(value, y + i);
            where_positive(mask, value);
            words |= mask & bit;
        }
        std::memcpy(signs, &words, sizeof(words));
        for (std::int64_t j = 0; i + j < length; ++j)
            if (load(y[i + j]) > 0) signs[j] |= std::uint32_t{1} << (i / lanes);
    }
}

/// Returns how many elements it took.
template <int width, bool keep, class T, class Gradient>
HEDDLE_INLINE std::int64_t add_gradients_in_registers(std::int64_t count, const T* x, const Gradient& gradient,
                                                      const float* mean, float* sum, float* products, T* masked) {
    constexpr std::int64_t step = width * lanes;
    Lanes means[width];
    for (int v = 0; v < width; ++v) get(means[v], mean + v * lanes);
    std::int64_t i = 0;
    while (i + step <= count) {
        Lanes sums[width] = {}, sums_of_products[width] = {};
        const std::int64_t end = std::min(i + longest_run * step, count / step * step);
        for (; i < end; i += step)
            for (int v = 0; v < width; ++v) {
                Lanes g, d;
                gradient.get_lanes(g, i + v * lanes);
                get(d, x + i + v * lanes);
                sums[v] += g;
                sums_of_products[v] += g * (d - means[v]);
                if constexpr (keep) put(masked + i + v * lanes, g);
            }
        for (int v = 0; v < width; ++v) {
            add_to(sum + v * lanes, sums[v]);
            add_to(products + v * lanes, sums_of_products[v]);
        }
    }
    return i;
}

template <bool keep, class T, class Gradient>
HEDDLE_INLINE void add_gradients_of(const Strips& strips, std::int64_t count, const T* x, const Gradient gradient,
                                    const float* mean, float* sum, float* products, T* masked) {
    const std::int64_t strip = strips.strip;
    std::int64_t i = 0;
    with_vectors(strips, [&](auto width) HEDDLE_INLINE_LAMBDA {
        i = add_gradients_in_registers<width(), keep>(count, x, gradient, mean, sum, products, masked);
    });
    for (; strip % lanes == 0 && i + 2 * strip <= count; i += 2 * strip)
        for (std::int64_t first = 0; first < strip; first += prefetched) {
            const std::int64_t last = std::min(first + prefetched, strip), next = i + 4 * strip + 2 * first;
            foresee(x, next, 2 * (last - first));
            gradient.foresee_lines(next, 2 * (last - first));
            for (std::int64_t j = first; j < last; j += lanes) {
                Lanes g0, g1, d0, d1, about;
                gradient.get_lanes(g0, i + j);
                gradient.get_lanes(g1, i + strip + j);
                get(d0, x + i + j);
                get(d1, x + i + strip + j);
                get(about, mean + j);
                add_to(sum + j, g0 + g1);
                add_to(products + j, g0 * (d0 - about) + g1 * (d1 - about));
                if constexpr (keep) put(masked + i + j, g0), put(masked + i + strip + j, g1);
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
HEDDLE_INLINE void data_gradient_of(const Strips& strips, std::int64_t count, const T* x, const Gradient gradient,
                                    const float* mean, const float* factor, const float* slope, const float* constant,
                                    T* dx) {
    const std::int64_t strip = strips.strip;
    for (std::int64_t i = 0; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
        const std::int64_t whole = strip % lanes == 0 ? length / lanes * lanes : 0;
        for (std::int64_t j = 0; j < whole; j += lanes) {
            Lanes g, d, about, by, along, shift;
            gradient.get_lanes(g, i + j);
            get(d, x + i + j);
            get(about, mean + j);
            get(by, factor + j);
            get(along, slope + j);
            get(shift, constant + j);
            put(dx + i + j, by * g - ((d - about) * along + shift));
        }
#pragma GCC ivdep
        for (std::int64_t j = whole; j < length; ++j)
            store(dx[i + j], factor[j] * gradient(i + j) - ((load(x[i + j]) - mean[j]) * slope[j] + constant[j]));
    }
}

template <class T, class Gradient>
HEDDLE_INLINE void scaled_gradient_of(const Strips& strips, std::int64_t count, const Gradient gradient,
                                      const float* factor, T* dx) {
    const std::int64_t strip = strips.strip;
    for (std::int64_t i = 0; i < count; i += strip) {
        const std::int64_t length = count - i < strip ? count - i : strip;
#pragma GCC ivdep
        for (std::int64_t j = 0; j < length; ++j) store(dx[i + j], factor[j] * gradient(i + j));
    }
}

/// Calls body(what is read as g).
template <class T, class Body>
HEDDLE_INLINE void with_gradient(const Mask<T>& mask, const T* dy, const Body& body) {
    if (mask.signs)
        body(Signed<T>{dy, mask.signs, mask.first});
    else if (mask.y)
        body(Masked<T>{dy, mask.y});
    else
        body(Plain<T>{dy});
}

template <class T>
HEDDLE_INLINE void add_gradients_in(const Strips& strips, std::int64_t count, const T* x, const Mask<T>& mask,
                                    const T* dy, const float* mean, float* sum, float* products, T* masked) {
    with_gradient(mask, dy, [&](const auto& gradient) HEDDLE_INLINE_LAMBDA {
        if (masked)
            add_gradients_of<true>(strips, count, x, gradient, mean, sum, products, masked);
        else
            add_gradients_of<false>(strips, count, x, gradient, mean, sum, products, masked);
    });
}

template <class T>
HEDDLE_INLINE void data_gradient_in(const Strips& strips, std::int64_t count, const T* x, const Mask<T>& mask,
                                    const T* dy, const float* mean, const float* factor, const float* slope,
                                    const float* constant, T* dx) {
    with_gradient(mask, dy, [&](const auto& gradient) HEDDLE_INLINE_LAMBDA {
        data_gradient_of(strips, count, x, gradient, mean, factor, slope, constant, dx);
    });
}

template <class T>
HEDDLE_INLINE void scaled_gradient_in(const Strips& strips, std::int64_t count, const T* y, const T* dy,
                                      const float* factor, T* dx) {
    if (y)
        scaled_gradient_of(strips, count, Masked<T>{dy, y}, factor, dx);
    else
        scaled_gradient_of(strips, count, Plain<T>{dy}, factor, dx);
}

}  // namespace

// Templates cannot be cloned for processors, so each loop has a function for each type in memory.
HEDDLE_SIMD_CLONES void find_signs(std::int64_t n, const float* y, std::uint32_t* signs) { find_signs_in(n, y, signs); }
HEDDLE_SIMD_CLONES void add_gradients(const Strips& s, std::int64_t n, const float* x, const Mask<float>& mask,
                                      const float* dy, const float* mean, float* sum, float* products, float* masked) {
    add_gradients_in(s, n, x, mask, dy, mean, sum, products, masked);
}
HEDDLE_SIMD_CLONES void data_gradient(const Strips& s, std::int64_t n, const float* x, const Mask<float>& mask,
                                      const float* dy, const float* mean, const float* factor, const float* slope,
                                      const float* constant, float* dx) {
    data_gradient_in(s, n, x, mask, dy, mean, factor, slope, constant, dx);
}
HEDDLE_SIMD_CLONES void scaled_gradient(const Strips& s, std::int64_t n, const float* y, const float* dy,
                                        const float* factor, float* dx) {
    scaled_gradient_in(s, n, y, dy, factor, dx);
}

HEDDLE_SIMD_CLONES void find_signs(std::int64_t n, const BFloat16* y, std::uint32_t* signs) {
    find_signs_in(n, y, signs);
}
HEDDLE_SIMD_CLONES void add_gradients(const Strips& s, std::int64_t n, const BFloat16* x, const Mask<BFloat16>& mask,
                                      const BFloat16* dy, const float* mean, float* sum, float* products,
                                      BFloat16* masked) {
    add_gradients_in(s, n, x, mask, dy, mean, sum, products, masked);
}
HEDDLE_SIMD_CLONES void data_gradient(const Strips& s, std::int64_t n, const BFloat16* x, const Mask<BFloat16>& mask,
                                      const BFloat16* dy, const float* mean, const float* factor, const float* slope,
                                      const float* constant, BFloat16* dx) {
    data_gradient_in(s, n, x, mask, dy, mean, factor, slope, constant, dx);
}
HEDDLE_SIMD_CLONES void scaled_gradient(const Strips& s, std::int64_t n, const BFloat16* y, const BFloat16* dy,
                                        const float* factor, BFloat16* dx) {
    scaled_gradient_in(s, n, y, dy, factor, dx);
}

}  // namespace heddle::kernels
