#pragma once

#include <array>
#include <utility>

#include "kernels/elementwise/elementwise.h"
#include "kernels/native_map.h"

// y = a op b, whatever a and b are: dense, broadcast, or a number. The floor is the bytes of y and of the operands as
// they stand in memory; repeated ones come from the caches.
HEDDLE_KERNELS_BEGIN

inline constexpr std::size_t binary_ops = static_cast<std::size_t>(BinaryOp::logical_or) + 1;

/// What a T is computed in: f32 for 16 bits.
__device__ inline std::int32_t widened(std::int32_t value) { return value; }
__device__ inline std::int64_t widened(std::int64_t value) { return value; }
__device__ inline std::uint8_t widened(std::uint8_t value) { return value; }
template <class T>
__device__ inline float widened(T value) {
    return to_f32(value);
}

template <BinaryOp op>
__device__ inline float arithmetic(float a, float b) {
    if constexpr (op == BinaryOp::add)
        return a + b;
    else if constexpr (op == BinaryOp::subtract)
        return a - b;
    else if constexpr (op == BinaryOp::multiply)
        return a * b;
    else if constexpr (op == BinaryOp::divide)
        return a / b;
    else if constexpr (op == BinaryOp::maximum)
        return a > b || a != a ? a : b;
    else if constexpr (op == BinaryOp::minimum)
        return a < b || a != a ? a : b;
    else {
        static_assert(op == BinaryOp::power);
        return powf(a, b);
    }
}

/// Computed unsigned where it may wrap around.
template <BinaryOp op, class T>
__device__ inline T integer_arithmetic(T a, T b) {
    using Unsigned = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
    const auto u = static_cast<Unsigned>(a), v = static_cast<Unsigned>(b);
    if constexpr (op == BinaryOp::add) {
        return static_cast<T>(u + v);
    } else if constexpr (op == BinaryOp::subtract) {
        return static_cast<T>(u - v);
    } else if constexpr (op == BinaryOp::multiply) {
        return static_cast<T>(u * v);
    } else if constexpr (op == BinaryOp::divide) {
        if (b == 0) return 0;
        if constexpr (std::is_signed_v<T>)
            if (b == -1) return static_cast<T>(Unsigned{} - u);
        return static_cast<T>(a / b);
    } else if constexpr (op == BinaryOp::maximum) {
        return a > b ? a : b;
    } else if constexpr (op == BinaryOp::minimum) {
        return a < b ? a : b;
    } else {
        static_assert(op == BinaryOp::power);
        if constexpr (std::is_signed_v<T>)
            if (b < 0) return a == 1 ? 1 : (a == -1 ? (b % 2 != 0 ? -1 : 1) : 0);
        Unsigned result = 1, square = u;
        _Pragma("unroll 1") for (Unsigned exponent = v; exponent != 0; exponent >>= 1) {
            if (exponent & 1) result *= square;
            square *= square;
        }
        return static_cast<T>(result);
    }
}

template <BinaryOp op, class W>
__device__ inline bool comparison(W a, W b) {
    if constexpr (op == BinaryOp::equal)
        return a == b;
    else if constexpr (op == BinaryOp::not_equal)
        return a != b;
    else if constexpr (op == BinaryOp::less)
        return a < b;
    else if constexpr (op == BinaryOp::less_equal)
        return a <= b;
    else if constexpr (op == BinaryOp::greater)
        return a > b;
    else if constexpr (op == BinaryOp::greater_equal)
        return a >= b;
    else if constexpr (op == BinaryOp::logical_and)
        return a != 0 && b != 0;
    else {
        static_assert(op == BinaryOp::logical_or);
        return a != 0 || b != 0;
    }
}

template <BinaryOp op, class T>
struct BinaryFunction {
    __device__ auto operator()(T a, T b) const {
        if constexpr (gives_boolean(op))
            return static_cast<std::uint8_t>(comparison<op>(widened(a), widened(b)));
        else if constexpr (std::is_integral_v<T>)
            return integer_arithmetic<op>(a, b);
        else
            return from_f32<T>(arithmetic<op>(to_f32(a), to_f32(b)));
    }
};

template <BinaryOp op, class T>
void run_binary_op(const Strided<T>& a, const Strided<T>& b, const View& y, KernelContext& context) {
    using To = std::conditional_t<gives_boolean(op), std::uint8_t, T>;
    map<map_width<T>>(context, BinaryFunction<op, T>{}, y.as<To>(), y.elements(), a, b);
}

template <class T, std::size_t... op>
void run_binary(BinaryOp chosen, const Strided<T>& a, const Strided<T>& b, const View& y, KernelContext& context,
                std::index_sequence<op...>) {
    static constexpr std::array runs = {&run_binary_op<static_cast<BinaryOp>(op), T>...};
    runs[static_cast<std::size_t>(chosen)](a, b, y, context);
}

template <class T>
void run_binary(const Binary& args, KernelContext& context) {
    run_binary(args.op, Strided<T>::broadcast(args.a, args.y.shape, map_width<T>),
               Strided<T>::broadcast(args.b, args.y.shape, map_width<T>), args.y, context,
               std::make_index_sequence<binary_ops>());
}

template <class T>
void run_binary(const ScalarBinary& args, KernelContext& context) {
    const Strided<T> x = Strided<T>::dense(args.x.as<const T>()),
                     scalar = Strided<T>::constant(bits_of<T>(args.scalar, args.x.dtype));
    const bool square = args.op == BinaryOp::power && args.scalar == 2 && !args.scalar_first;
    const BinaryOp op = square ? BinaryOp::multiply : args.op;
    run_binary(op, args.scalar_first ? scalar : x, square || args.scalar_first ? x : scalar, args.y, context,
               std::make_index_sequence<binary_ops>());
}

// Half of the types in a file each, so that they compile side by side.
// ---------------------------------------------------

void run_integers(const Binary& args, KernelContext& context);
void run_integers(const ScalarBinary& args, KernelContext& context);

HEDDLE_KERNELS_END
