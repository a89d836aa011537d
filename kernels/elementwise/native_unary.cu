#include "kernels/elementwise/native_unary.h"

#include "kernels/native_registry.h"

// y = op(x). The floor is 2 * elements * size bytes; the dearest functions (erfc, a sine of a large angle) take some
// 40 operations an element, which f32 has time for and 16 bits just about.
HEDDLE_KERNELS_BEGIN
namespace {

template <UnaryOp op>
__device__ float value(float x, float alpha) {
    if constexpr (op == UnaryOp::negate)
        return -x;
    else if constexpr (op == UnaryOp::abs)
        return fabsf(x);
    else if constexpr (op == UnaryOp::sign)
        return x > 0 ? 1.0f : (x < 0 ? -1.0f : (x == 0 ? 0.0f : x));
    else if constexpr (op == UnaryOp::square)
        return x * x;
    else if constexpr (op == UnaryOp::reciprocal)
        return 1.0f / x;
    else if constexpr (op == UnaryOp::sqrt)
        return sqrtf(x);
    else if constexpr (op == UnaryOp::rsqrt)
        return 1.0f / sqrtf(x);
    else if constexpr (op == UnaryOp::exp)
        return expf(x);
    else if constexpr (op == UnaryOp::expm1)
        return expm1f(x);
    else if constexpr (op == UnaryOp::log)
        return logf(x);
    else if constexpr (op == UnaryOp::log1p)
        return log1pf(x);
    else if constexpr (op == UnaryOp::sin)
        return sinf(x);
    else if constexpr (op == UnaryOp::cos)
        return cosf(x);
    else if constexpr (op == UnaryOp::floor)
        return floorf(x);
    else if constexpr (op == UnaryOp::ceil)
        return ceilf(x);
    else if constexpr (op == UnaryOp::round)
        return rintf(x);
    else if constexpr (op == UnaryOp::erf)
        return erff(x);
    else if constexpr (op == UnaryOp::relu)
        return x < 0 ? 0.0f : x;
    else if constexpr (op == UnaryOp::leaky_relu)
        return x > 0 ? x : alpha * x;
    else if constexpr (op == UnaryOp::elu)
        return x > 0 ? x : alpha * expm1f(x);
    else if constexpr (op == UnaryOp::selu)
        return selu_scale * (x > 0 ? x : selu_alpha * expm1f(x));
    else if constexpr (op == UnaryOp::sigmoid)
        return sigmoid(x);
    else if constexpr (op == UnaryOp::tanh)
        return tanhf(x);
    else if constexpr (op == UnaryOp::gelu)
        return x * normal_cumulative(x);
    else if constexpr (op == UnaryOp::gelu_tanh)  // (1 + tanh u) / 2 = sigmoid(2 u)
        return x * sigmoid(two_sqrt_2_over_pi * (x + gelu_cubic * x * x * x));
    else if constexpr (op == UnaryOp::silu)
        return x * sigmoid(x);
    else if constexpr (op == UnaryOp::softplus)
        return (x < 0 ? 0.0f : x) + log1pf(expf(-fabsf(x)));
    else {
        static_assert(op == UnaryOp::softsign);
        return x / (1.0f + fabsf(x));
    }
}

constexpr bool takes_integers(UnaryOp op) {
    return op == UnaryOp::negate || op == UnaryOp::abs || op == UnaryOp::sign || op == UnaryOp::square ||
           op == UnaryOp::relu;
}

template <UnaryOp op, class T>
__device__ T integer_value(T x) {
    using Unsigned = std::make_unsigned_t<T>;  // wraps around
    const auto bits = static_cast<Unsigned>(x);
    if constexpr (op == UnaryOp::negate)
        return static_cast<T>(Unsigned{} - bits);
    else if constexpr (op == UnaryOp::abs)
        return x < 0 ? static_cast<T>(Unsigned{} - bits) : x;
    else if constexpr (op == UnaryOp::sign)
        return x > 0 ? T{1} : (x < 0 ? T{-1} : T{0});
    else if constexpr (op == UnaryOp::square)
        return static_cast<T>(bits * bits);
    else
        return x < 0 ? T{0} : x;
}

template <UnaryOp op, class T>
struct UnaryFunction {
    float alpha;

    __device__ T operator()(T x) const {
        if constexpr (std::is_integral_v<T>)
            return integer_value<op>(x);
        else
            return from_f32<T>(value<op>(to_f32(x), alpha));
    }
};

template <class T, UnaryOp op>
void run_op(const Unary& args, KernelContext& context) {
    if constexpr (!std::is_integral_v<T> || takes_integers(op))
        map<map_width<T>>(context, UnaryFunction<op, T>{args.alpha}, args.y.as<T>(), args.y.elements(),
                          Dense<T>{args.x.as<const T>()});
}

template <class T, std::size_t... op>
void run_as(const Unary& args, KernelContext& context, std::index_sequence<op...>) {
    static constexpr std::array runs = {&run_op<T, static_cast<UnaryOp>(op)>...};
    runs[static_cast<std::size_t>(args.op)](args, context);
}

void run(const Unary& args, KernelContext& context) {
    const auto ops = std::make_index_sequence<unary_ops>();
    switch (args.x.dtype) {
        case DType::i32:
            return run_as<std::int32_t>(args, context, ops);
        case DType::i64:
            return run_as<std::int64_t>(args, context, ops);
        default:
            with_floating(args.x.dtype, [&](auto zero) { run_as<decltype(zero)>(args, context, ops); });
    }
}

Support supports(const Unary& args) {
    const bool integer = args.x.dtype == DType::i32 || args.x.dtype == DType::i64;
    return integer && takes_integers(args.op) ? Support::yes() : floating(args.x.dtype);
}

}  // namespace

void register_unary() {
    unary().add({.name = "native", .device = backend, .priority = priority::plain, .supports = supports, .run = run});
}

HEDDLE_KERNELS_END
