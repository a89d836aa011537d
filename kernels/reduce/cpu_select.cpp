#include <algorithm>
#include <numeric>
#include <vector>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/reduce/implementations.h"

// Places of the largest elements.
namespace heddle::kernels {
namespace {

constexpr std::int64_t tile = 1024, short_row = 16;

/// The first place of the largest element, or of a NaN: several candidates side by side, then the first among equals.
template <class T>
[[gnu::always_inline]] inline std::int64_t place_of_largest_in(const T* x, std::int64_t n, float sign) {
    float best = sign * load(x[0]);
    int nan = 0;
#pragma omp simd reduction(max : best) reduction(| : nan)
    for (std::int64_t i = 0; i < n; ++i) {
        const float value = sign * load(x[i]);
        nan |= value != value;
        best = value > best ? value : best;
    }
    std::int64_t place = 0;
    if (nan)
        while (load(x[place]) == load(x[place])) ++place;
    else
        while (sign * load(x[place]) != best) ++place;
    return place;
}
HEDDLE_SIMD_CLONES std::int64_t place_of_largest(const float* x, std::int64_t n, float sign) {
    return place_of_largest_in(x, n, sign);
}
HEDDLE_SIMD_CLONES std::int64_t place_of_largest(const BFloat16* x, std::int64_t n, float sign) {
    return place_of_largest_in(x, n, sign);
}

/// The same without a call, for rows too short to pay for one.
template <class T>
std::int64_t place_in_short_row(const T* x, std::int64_t n, float sign) {
    float best = sign * load(x[0]);
    std::int64_t place = 0;
    for (std::int64_t i = 1; i < n; ++i) {
        const float value = sign * load(x[i]);
        const bool better = (value > best) | ((value != value) & (best == best));
        best = better ? value : best;
        place = better ? i : place;
    }
    return place;
}

/// The same for n columns at once; rows lie `stride` apart.
template <class T>
[[gnu::always_inline]] inline void places_of_largest_in(const T* x, std::int64_t rows, std::int64_t stride,
                                                        std::int64_t n, float sign, std::int64_t* places) {
    float best[tile];
    std::int32_t place[tile];
    for (std::int64_t i = 0; i < n; ++i) {
        best[i] = sign * load(x[i]);
        place[i] = 0;
    }
    for (std::int64_t row = 1; row < rows; ++row)
        for (std::int64_t i = 0; i < n; ++i) {
            const float value = sign * load(x[row * stride + i]), known = best[i];
            const bool better = (value > known) | ((value != value) & (known == known));
            best[i] = better ? value : known;
            place[i] = better ? static_cast<std::int32_t>(row) : place[i];
        }
    for (std::int64_t i = 0; i < n; ++i) places[i] = place[i];
}
HEDDLE_SIMD_CLONES void places_of_largest(const float* x, std::int64_t rows, std::int64_t stride, std::int64_t n,
                                          float sign, std::int64_t* places) {
    places_of_largest_in(x, rows, stride, n, sign, places);
}
HEDDLE_SIMD_CLONES void places_of_largest(const BFloat16* x, std::int64_t rows, std::int64_t stride, std::int64_t n,
                                          float sign, std::int64_t* places) {
    places_of_largest_in(x, rows, stride, n, sign, places);
}

template <class T>
void arg_reduce_in(const ArgReduce& args) {
    const Shape& shape = args.x.shape;
    const std::int64_t extent = shape[args.axis], outer = shape.elements(0, args.axis),
                       inner = shape.elements(args.axis + 1, shape.rank());
    const float sign = args.max ? 1.0f : -1.0f;
    const T* x = args.x.as<T>();
    std::int64_t* y = args.y.as<std::int64_t>();
    if (inner == 1) {
        parallel_for(outer, 32768 / extent + 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t row = first; row < last; ++row)
                y[row] = extent <= short_row ? place_in_short_row(x + row * extent, extent, sign)
                                             : place_of_largest(x + row * extent, extent, sign);
        });
        return;
    }
    const std::int64_t tiles = (inner + tile - 1) / tile, width = std::min(tile, inner);
    parallel_for(outer * tiles, 32768 / (extent * std::max<std::int64_t>(width, 1)) + 1,
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t task = first; task < last; ++task) {
                         const std::int64_t row = task / tiles, column = task % tiles * tile;
                         places_of_largest(x + row * extent * inner + column, extent, inner,
                                           std::min(tile, inner - column), sign, y + row * inner + column);
                     }
                 });
}

void run_arg_reduce(const ArgReduce& args, KernelContext&) {
    with_f32_or_bf16(args.x.dtype, [&](auto zero) { arg_reduce_in<decltype(zero)>(args); });
}

template <class T>
void top_k_in(const TopK& args) {
    const std::int64_t n = args.x.shape.back(), k = args.k, rows = args.x.shape.elements(0, args.x.shape.rank() - 1);
    parallel_for(rows, 4096 / std::max<std::int64_t>(n, 1) + 1, [&](std::int64_t first, std::int64_t last) {
        std::vector<std::int64_t> order(static_cast<std::size_t>(n));
        for (std::int64_t row = first; row < last; ++row) {
            const T* x = args.x.as<T>() + row * n;
            const auto before = [x](std::int64_t a, std::int64_t b) {
                const float left = load(x[a]), right = load(x[b]);
                const bool a_is_nan = left != left, b_is_nan = right != right;
                if (a_is_nan || b_is_nan) return a_is_nan && b_is_nan ? a < b : a_is_nan;
                return left > right || (left == right && a < b);
            };
            std::iota(order.begin(), order.end(), 0);
            std::partial_sort(order.begin(), order.begin() + k, order.end(), before);
            for (std::int64_t j = 0; j < k; ++j) {
                args.indices.as<std::int64_t>()[row * k + j] = order[static_cast<std::size_t>(j)];
                args.values.as<T>()[row * k + j] = x[order[static_cast<std::size_t>(j)]];
            }
        }
    });
}

void run_top_k(const TopK& args, KernelContext&) {
    with_f32_or_bf16(args.x.dtype, [&](auto zero) { top_k_in<decltype(zero)>(args); });
}

}  // namespace

void add_cpu(KernelTable<ArgReduce>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports =
                   [](const ArgReduce& args) {
                       if (args.x.shape[args.axis] > 0x7FFFFFFF) return Support::no("places beyond 32 bits");
                       return f32_or_bf16(args.x.dtype);
                   },
               .run = run_arg_reduce});
}

void add_cpu(KernelTable<TopK>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const TopK& args) { return f32_or_bf16(args.x.dtype); },
               .run = run_top_k});
}

}  // namespace heddle::kernels
