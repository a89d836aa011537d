#include <type_traits>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/elementwise/implementations.h"
#include "kernels/elementwise/loops.h"
#include "kernels/expand.h"
#include "kernels/vector_math.h"

namespace heddle::kernels {
namespace {

/// An operand that is one value everywhere, indexed like an array.
template <class T>
struct Same {
    T value;
    T operator[](std::int64_t) const { return value; }
};

/// a + b, a - b and a * b, wrapping around where T is an integer.
template <class T>
using Unsigned = std::make_unsigned_t<std::conditional_t<std::is_integral_v<T>, T, int>>;

template <class T>
T sum(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) return a + b;
    return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b));
}
template <class T>
T difference(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) return a - b;
    return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b));
}
template <class T>
T product(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) return a * b;
    return static_cast<T>(static_cast<Unsigned<T>>(a) * static_cast<Unsigned<T>>(b));
}

template <class T>
T quotient(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
        if (b == 0) return 0;
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) return difference(T{0}, a);
        return static_cast<T>(a / b);
    } else {
        return a / b;
    }
}

/// The loops of all operations on f32, i32 and i64 but for integer powers, which only the reference has.
template <class T, class A, class B>
inline __attribute__((always_inline)) void combine(BinaryOp op, A a, B b, void* out, std::int64_t n) {
    T* y = static_cast<T*>(out);
    auto* flags = static_cast<std::uint8_t*>(out);
    switch (op) {
        case BinaryOp::add:
            return map(a, b, y, n, [](T u, T v) { return sum(u, v); });
        case BinaryOp::subtract:
            return map(a, b, y, n, [](T u, T v) { return difference(u, v); });
        case BinaryOp::multiply:
            return map(a, b, y, n, [](T u, T v) { return product(u, v); });
        case BinaryOp::divide:
            return map(a, b, y, n, [](T u, T v) { return quotient(u, v); });
        case BinaryOp::maximum:
            return map(a, b, y, n, [](T u, T v) -> T { return (u > v) | (u != u) ? u : v; });
        case BinaryOp::minimum:
            return map(a, b, y, n, [](T u, T v) -> T { return (u < v) | (u != u) ? u : v; });
        case BinaryOp::power:
            if constexpr (std::is_floating_point_v<T>) return map(a, b, y, n, [](T u, T v) { return vec::pow(u, v); });
            return;
        case BinaryOp::equal:
            return map(a, b, flags, n, [](T u, T v) { return static_cast<std::uint8_t>(u == v); });
        case BinaryOp::not_equal:
            return map(a, b, flags, n, [](T u, T v) { return static_cast<std::uint8_t>(u != v); });
        case BinaryOp::less:
            return map(a, b, flags, n, [](T u, T v) { return static_cast<std::uint8_t>(u < v); });
        case BinaryOp::less_equal:
            return map(a, b, flags, n, [](T u, T v) { return static_cast<std::uint8_t>(u <= v); });
        case BinaryOp::greater:
            return map(a, b, flags, n, [](T u, T v) { return static_cast<std::uint8_t>(u > v); });
        case BinaryOp::greater_equal:
            return map(a, b, flags, n, [](T u, T v) { return static_cast<std::uint8_t>(u >= v); });
        case BinaryOp::logical_and:
            return map(a, b, flags, n, [](T u, T v) { return static_cast<std::uint8_t>((u != 0) & (v != 0)); });
        case BinaryOp::logical_or:
            return map(a, b, flags, n, [](T u, T v) { return static_cast<std::uint8_t>((u != 0) | (v != 0)); });
    }
}

// Templates cannot be cloned, so each type and pattern has a function of its own. Only f32 is worth the clones.
HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void both(BinaryOp op, const float* a, const float* b, void* y, std::int64_t n) {
    combine<float>(op, a, b, y, n);
}
HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void with_scalar(BinaryOp op, const float* a, float b, void* y, std::int64_t n) {
    combine<float>(op, a, Same<float>{b}, y, n);
}
HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void scalar_with(BinaryOp op, float a, const float* b, void* y, std::int64_t n) {
    combine<float>(op, Same<float>{a}, b, y, n);
}
template <class T>
void both(BinaryOp op, const T* a, const T* b, void* y, std::int64_t n) {
    combine<T>(op, a, b, y, n);
}
template <class T>
void with_scalar(BinaryOp op, const T* a, T b, void* y, std::int64_t n) {
    combine<T>(op, a, Same<T>{b}, y, n);
}
template <class T>
void scalar_with(BinaryOp op, T a, const T* b, void* y, std::int64_t n) {
    combine<T>(op, Same<T>{a}, b, y, n);
}

std::int64_t grain_of(BinaryOp op) { return op == BinaryOp::power ? dear_grain : cheap_grain; }

template <class T>
void scalar_second(BinaryOp op, const T* a, T b, const View& y) {
    const std::size_t size = size_of(y.dtype);
    parallel_for(y.elements(), grain_of(op), [&](std::int64_t first, std::int64_t last) {
        char* out = y.as<char>() + static_cast<std::size_t>(first) * size;
        if (op == BinaryOp::power && b == T{2})
            both(BinaryOp::multiply, a + first, a + first, out, last - first);
        else
            with_scalar(op, a + first, b, out, last - first);
    });
}

template <class T>
void scalar_first(BinaryOp op, T a, const T* b, const View& y) {
    const std::size_t size = size_of(y.dtype);
    parallel_for(y.elements(), grain_of(op), [&](std::int64_t first, std::int64_t last) {
        scalar_with(op, a, b + first, y.as<char>() + static_cast<std::size_t>(first) * size, last - first);
    });
}

template <class T>
void broadcast(const Binary& args) {
    const Expanded<T> a(args.a, args.y.shape), b(args.b, args.y.shape);
    const std::size_t size = size_of(args.y.dtype);
    // A bias is written out once: chunks of whole periods all begin alike.
    const std::int64_t period = b.period();
    const bool once = period > 0 && period <= expand_chunk;
    const std::int64_t chunk = once ? expand_chunk / period * period : expand_chunk;
    parallel_for(args.y.elements(), grain_of(args.op), [&](std::int64_t first, std::int64_t last) {
        T a_buffer[expand_chunk], b_buffer[expand_chunk];
        for (std::int64_t i = first; i < last; i += chunk) {
            const std::int64_t count = std::min(chunk, last - i);
            const T* second = once && i > first ? b_buffer : b.read(i, count, b_buffer);
            both(args.op, a.read(i, count, a_buffer), second, args.y.as<char>() + static_cast<std::size_t>(i) * size,
                 count);
        }
    });
}

template <class T>
void binary_of(const Binary& args) {
    const std::int64_t count = args.y.elements(), in_a = args.a.elements(), in_b = args.b.elements();
    const T *a = args.a.as<T>(), *b = args.b.as<T>();
    if (in_a == count && in_b == count) {
        const std::size_t size = size_of(args.y.dtype);
        parallel_for(count, grain_of(args.op), [&](std::int64_t first, std::int64_t last) {
            both(args.op, a + first, b + first, args.y.as<char>() + static_cast<std::size_t>(first) * size,
                 last - first);
        });
    } else if (in_a == count && in_b == 1) {
        scalar_second(args.op, a, *b, args.y);
    } else if (in_a == 1 && in_b == count) {
        scalar_first(args.op, *a, b, args.y);
    } else {
        broadcast<T>(args);
    }
}

/// Chunks of y from `body(first, count, out)`, which computes in float: out is bf16's wide copy, or y itself where the
/// operation gives booleans.
template <class Body>
void each_wide_chunk(BinaryOp op, const View& y, const Body& body) {
    parallel_for(y.elements(), grain_of(op), [&](std::int64_t first, std::int64_t last) {
        float wide[widened_chunk];
        for (std::int64_t i = first; i < last; i += widened_chunk) {
            const std::int64_t count = std::min(widened_chunk, last - i);
            if (y.dtype == DType::bf16) {
                body(i, count, wide);
                narrow(wide, y.as<BFloat16>() + i, count);
            } else {
                body(i, count, y.as<std::uint8_t>() + i);
            }
        }
    });
}

void binary_bf16(const Binary& args) {
    static_assert(expand_chunk == widened_chunk);
    const Expanded<BFloat16> a(args.a, args.y.shape), b(args.b, args.y.shape);
    each_wide_chunk(args.op, args.y, [&](std::int64_t i, std::int64_t count, void* out) {
        BFloat16 buffer[widened_chunk];
        float wide_a[widened_chunk], wide_b[widened_chunk];
        widen(a.read(i, count, buffer), wide_a, count);
        widen(b.read(i, count, buffer), wide_b, count);
        both(args.op, wide_a, wide_b, out, count);
    });
}

void scalar_binary_bf16(const ScalarBinary& args) {
    const auto scalar = static_cast<float>(args.scalar);
    each_wide_chunk(args.op, args.y, [&](std::int64_t i, std::int64_t count, void* out) {
        float wide[widened_chunk];
        widen(args.x.as<BFloat16>() + i, wide, count);
        if (args.scalar_first)
            scalar_with(args.op, scalar, wide, out, count);
        else if (args.op == BinaryOp::power && scalar == 2)
            both(BinaryOp::multiply, wide, wide, out, count);
        else
            with_scalar(args.op, wide, scalar, out, count);
    });
}

void run_binary(const Binary& args, KernelContext&) {
    switch (args.a.dtype) {
        case DType::bf16:
            return binary_bf16(args);
        case DType::f32:
            return binary_of<float>(args);
        case DType::i32:
            return binary_of<std::int32_t>(args);
        case DType::i64:
            return binary_of<std::int64_t>(args);
        default:
            return binary_of<std::uint8_t>(args);
    }
}

template <class T>
void scalar_binary_of(const ScalarBinary& args) {
    const T scalar = args.x.dtype == DType::boolean ? static_cast<T>(args.scalar != 0) : static_cast<T>(args.scalar);
    if (args.scalar_first)
        scalar_first(args.op, scalar, args.x.as<const T>(), args.y);
    else
        scalar_second(args.op, args.x.as<const T>(), scalar, args.y);
}

void run_scalar_binary(const ScalarBinary& args, KernelContext&) {
    switch (args.x.dtype) {
        case DType::bf16:
            return scalar_binary_bf16(args);
        case DType::f32:
            return scalar_binary_of<float>(args);
        case DType::i32:
            return scalar_binary_of<std::int32_t>(args);
        case DType::i64:
            return scalar_binary_of<std::int64_t>(args);
        default:
            return scalar_binary_of<std::uint8_t>(args);
    }
}

HEDDLE_SIMD_CLONES HEDDLE_FLATTEN void accumulate(float alpha, float beta, const float* x, float* y, std::int64_t n) {
    if (beta == 0.0f) return map(x, y, n, [=](float v) { return alpha * v; });
    if (alpha == 1.0f && beta == 1.0f) return map(x, y, y, n, [](float v, float sum) { return sum + v; });
    map(x, y, y, n, [=](float v, float sum) { return alpha * v + beta * sum; });
}

void run_scale_add(const ScaleAdd& args, KernelContext&) {
    if (args.y.dtype == DType::bf16)
        return parallel_for(args.y.elements(), cheap_grain, [&](std::int64_t first, std::int64_t last) {
            const BFloat16* old = args.beta == 0 ? args.x.as<BFloat16>() : args.y.as<BFloat16>();
            map_widened(args.x.as<BFloat16>(), old, args.y.as<BFloat16>(), first, last,
                        [&](const float* x, const float*, float* y, std::int64_t n) {
                            accumulate(args.alpha, args.beta, x, y, n);
                        });
        });
    parallel_for(args.y.elements(), cheap_grain, [&](std::int64_t first, std::int64_t last) {
        accumulate(args.alpha, args.beta, args.x.as<float>() + first, args.y.as<float>() + first, last - first);
    });
}

Support supported(BinaryOp op, DType dtype) {
    if (dtype == DType::f32 || dtype == DType::bf16) return Support::yes();
    if (is_floating(dtype)) return Support::no(fmt::format("dtype {}", to_string(dtype)));
    if (op == BinaryOp::power) return Support::no("integer powers");
    return Support::yes();
}

}  // namespace

void add_cpu(KernelTable<Binary>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const Binary& args) { return supported(args.op, args.a.dtype); },
               .run = run_binary});
}

void add_cpu(KernelTable<ScalarBinary>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const ScalarBinary& args) { return supported(args.op, args.x.dtype); },
               .run = run_scalar_binary});
}

void add_cpu(KernelTable<ScaleAdd>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports =
                   [](const ScaleAdd& args) {
                       if (args.y.dtype != args.x.dtype)
                           return Support::no(fmt::format("a sum in {}", to_string(args.y.dtype)));
                       return f32_or_bf16(args.x.dtype);
                   },
               .run = run_scale_add});
}

}  // namespace heddle::kernels
