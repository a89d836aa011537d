#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/element_types.h"
#include "kernels/elementwise/implementations.h"
#include "kernels/elementwise/loops.h"
#include "kernels/expand.h"
#include "kernels/vector_math.h"

namespace heddle::kernels {
namespace {

template <class T>
void choose(const std::uint8_t* condition, const T* a, const T* b, T* y, std::int64_t n) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) y[i] = condition[i] ? a[i] : b[i];
}
HEDDLE_SIMD_CLONES void choose(const std::uint8_t* condition, const std::uint32_t* a, const std::uint32_t* b,
                               std::uint32_t* y, std::int64_t n) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
        const std::uint32_t yes = a[i], no = b[i];
        y[i] = condition[i] ? yes : no;
    }
}

void run_where(const Where& args, KernelContext&) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Expanded<std::uint8_t> condition(args.condition, args.y.shape);
        const Expanded<T> a(args.a, args.y.shape), b(args.b, args.y.shape);
        parallel_for(args.y.elements(), cheap_grain, [&](std::int64_t first, std::int64_t last) {
            std::uint8_t conditions[expand_chunk];
            T as[expand_chunk], bs[expand_chunk];
            for (std::int64_t i = first; i < last; i += expand_chunk) {
                const std::int64_t count = std::min(expand_chunk, last - i);
                choose(condition.read(i, count, conditions), a.read(i, count, as), b.read(i, count, bs),
                       args.y.as<T>() + i, count);
            }
        });
    });
}

// Half precision by integer arithmetic, which vectorises on every target and keeps f16's denormals where the
// processor flushes those of f32.
HEDDLE_VECTOR_FUNCTION float from_half(std::uint16_t half) {
    const std::int32_t magnitude = half & 0x7FFF, sign = (half & 0x8000) << 16;
    const std::int32_t normal = (magnitude << 13) + (112 << 23), special = (magnitude << 13) | 0x7F800000,
                       denormal = vec::detail::to_bits(static_cast<float>(magnitude) * 0x1p-24f);
    const std::int32_t bits = magnitude < 0x0400 ? denormal : (magnitude < 0x7C00 ? normal : special);
    return vec::detail::from_bits(bits | sign);
}

HEDDLE_VECTOR_FUNCTION std::uint16_t to_half_bits(float value) {
    const std::int32_t bits = vec::detail::to_bits(value), magnitude = bits & 0x7FFFFFFF;
    // Half to even; a carry out of the mantissa gives the next exponent, or infinity.
    const std::int32_t normal = (magnitude + 0xFFF + ((magnitude >> 13) & 1) - (112 << 23)) >> 13;
    // The unit of f16's denormals is that of floats at 0.5, where the addition rounds.
    const std::int32_t denormal =
        vec::detail::to_bits(vec::detail::from_bits(magnitude) + 0.5f) - vec::detail::to_bits(0.5f);
    const std::int32_t finite = magnitude < 0x38800000 ? denormal : normal;
    const std::int32_t half = magnitude > 0x7F800000 ? 0x7E00 : (magnitude >= 0x47800000 ? 0x7C00 : finite);
    return static_cast<std::uint16_t>(half | ((bits >> 16) & 0x8000));
}

HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void to_f32(DType from, const void* x, float* y, std::int64_t n) {
    switch (from) {
        case DType::f16:
            return map(static_cast<const std::uint16_t*>(x), y, n, [](std::uint16_t v) { return from_half(v); });
        case DType::bf16:
            return map(static_cast<const BFloat16*>(x), y, n, [](BFloat16 v) { return load(v); });
        case DType::f64:
            return map(static_cast<const double*>(x), y, n, [](double v) { return static_cast<float>(v); });
        case DType::i32:
            return map(static_cast<const std::int32_t*>(x), y, n, [](std::int32_t v) { return static_cast<float>(v); });
        case DType::i64:
            return map(static_cast<const std::int64_t*>(x), y, n, [](std::int64_t v) { return static_cast<float>(v); });
        case DType::u8:
        case DType::boolean:
            return map(static_cast<const std::uint8_t*>(x), y, n, [](std::uint8_t v) { return static_cast<float>(v); });
        case DType::f32:
            return map(static_cast<const float*>(x), y, n, [](float v) { return v; });
    }
}

HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void from_f32(DType to, const float* x, void* y, std::int64_t n) {
    switch (to) {
        case DType::f16:
            return map(x, static_cast<std::uint16_t*>(y), n, [](float v) { return to_half_bits(v); });
        case DType::bf16:
            return map(x, static_cast<BFloat16*>(y), n, [](float v) {
                BFloat16 rounded;
                store(rounded, v);
                return rounded;
            });
        case DType::f64:
            return map(x, static_cast<double*>(y), n, [](float v) { return static_cast<double>(v); });
        case DType::i32:
            return map(x, static_cast<std::int32_t*>(y), n, [](float v) { return static_cast<std::int32_t>(v); });
        case DType::i64:
            return map(x, static_cast<std::int64_t*>(y), n, [](float v) { return static_cast<std::int64_t>(v); });
        case DType::u8:
            return map(x, static_cast<std::uint8_t*>(y), n, [](float v) { return static_cast<std::uint8_t>(v); });
        case DType::boolean:
            return map(x, static_cast<std::uint8_t*>(y), n, [](float v) { return static_cast<std::uint8_t>(v != 0); });
        case DType::f32:
            return map(x, static_cast<float*>(y), n, [](float v) { return v; });
    }
}

void run_cast(const Cast& args, KernelContext&) {
    const std::size_t from = size_of(args.x.dtype), to = size_of(args.y.dtype);
    parallel_for(args.y.elements(), cheap_grain, [&](std::int64_t first, std::int64_t last) {
        const char* x = args.x.as<char>() + static_cast<std::size_t>(first) * from;
        char* y = args.y.as<char>() + static_cast<std::size_t>(first) * to;
        if (args.x.dtype == args.y.dtype)
            std::memcpy(y, x, static_cast<std::size_t>(last - first) * from);
        else if (args.y.dtype == DType::f32)
            to_f32(args.x.dtype, x, reinterpret_cast<float*>(y), last - first);
        else
            from_f32(args.y.dtype, reinterpret_cast<const float*>(x), y, last - first);
    });
}

void run_fill(const Fill& args, KernelContext&) {
    with_storage_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const T value = convert<T>(args.value);
        parallel_for(args.y.elements(), cheap_grain, [&](std::int64_t first, std::int64_t last) {
            std::fill(args.y.as<T>() + first, args.y.as<T>() + last, value);
        });
    });
}

HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void clip_values(float low, float high, const float* x, float* y, std::int64_t n) {
    map(x, y, n, [=](float v) { return v < low ? low : (v > high ? high : v); });
}

HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void clip_gradient(float low, float high, const float* x, const float* dy, float* dx,
                                                     std::int64_t n) {
    map(x, dy, dx, n, [=](float v, float g) { return (v >= low) & (v <= high) ? g : 0.0f; });
}

void run_clip(const Clip& args, KernelContext&) {
    const auto low = static_cast<float>(args.low), high = static_cast<float>(args.high);
    if (args.y.dtype == DType::bf16)
        return parallel_for(args.y.elements(), cheap_grain, [&](std::int64_t first, std::int64_t last) {
            map_widened(args.x.as<BFloat16>(), args.y.as<BFloat16>(), first, last,
                        [&](const float* x, float* y, std::int64_t n) { clip_values(low, high, x, y, n); });
        });
    parallel_for(args.y.elements(), cheap_grain, [&](std::int64_t first, std::int64_t last) {
        clip_values(low, high, args.x.as<float>() + first, args.y.as<float>() + first, last - first);
    });
}

void run_clip_backward(const ClipBackward& args, KernelContext&) {
    const auto low = static_cast<float>(args.low), high = static_cast<float>(args.high);
    if (args.dx.dtype == DType::bf16)
        return parallel_for(args.dx.elements(), cheap_grain, [&](std::int64_t first, std::int64_t last) {
            map_widened(args.x.as<BFloat16>(), args.dy.as<BFloat16>(), args.dx.as<BFloat16>(), first, last,
                        [&](const float* x, const float* dy, float* dx, std::int64_t n) {
                            clip_gradient(low, high, x, dy, dx, n);
                        });
        });
    parallel_for(args.dx.elements(), cheap_grain, [&](std::int64_t first, std::int64_t last) {
        clip_gradient(low, high, args.x.as<float>() + first, args.dy.as<float>() + first, args.dx.as<float>() + first,
                      last - first);
    });
}

}  // namespace

void add_cpu(KernelTable<Where>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Where&) { return Support::yes(); },
               .run = run_where});
}

void add_cpu(KernelTable<Cast>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports =
                   [](const Cast& args) {
                       if (args.x.dtype == args.y.dtype || args.x.dtype == DType::f32 || args.y.dtype == DType::f32)
                           return Support::yes();
                       return Support::no("neither side is f32");
                   },
               .run = run_cast});
}

void add_cpu(KernelTable<Fill>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Fill&) { return Support::yes(); },
               .run = run_fill});
}

void add_cpu(KernelTable<Clip>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Clip& args) { return f32_or_bf16(args.x.dtype); },
               .run = run_clip});
}

void add_cpu(KernelTable<ClipBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const ClipBackward& args) { return f32_or_bf16(args.x.dtype); },
               .run = run_clip_backward});
}

}  // namespace heddle::kernels
