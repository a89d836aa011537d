#include "kernels/elementwise/native_unary.h"
#include "kernels/native_registry.h"

// dx = dy * op'. The floor is 3 * elements * size bytes, 2 where the derivative needs neither x nor y.
HEDDLE_KERNELS_BEGIN
namespace {

/// `s` is x or y, as `needs(op)` says.
template <UnaryOp op>
__device__ float derivative(float s, float alpha) {
    if constexpr (op == UnaryOp::negate)
        return -1.0f;
    else if constexpr (needs(op) == DerivativeNeeds::neither)
        return 0.0f;
    else if constexpr (op == UnaryOp::abs)
        return s > 0 ? 1.0f : (s < 0 ? -1.0f : 0.0f);
    else if constexpr (op == UnaryOp::square)
        return 2.0f * s;
    else if constexpr (op == UnaryOp::reciprocal)
        return -s * s;
    else if constexpr (op == UnaryOp::sqrt)
        return 0.5f / s;
    else if constexpr (op == UnaryOp::rsqrt)
        return -0.5f * s * s * s;
    else if constexpr (op == UnaryOp::exp)
        return s;
    else if constexpr (op == UnaryOp::expm1)
        return s + 1.0f;
    else if constexpr (op == UnaryOp::log)
        return 1.0f / s;
    else if constexpr (op == UnaryOp::log1p)
        return 1.0f / (1.0f + s);
    else if constexpr (op == UnaryOp::sin)
        return cosf(s);
    else if constexpr (op == UnaryOp::cos)
        return -sinf(s);
    else if constexpr (op == UnaryOp::erf)
        return 1.1283791670955126f * expf(-s * s);
    else if constexpr (op == UnaryOp::relu)
        return s > 0 ? 1.0f : 0.0f;
    else if constexpr (op == UnaryOp::leaky_relu)
        return s > 0 ? 1.0f : alpha;
    else if constexpr (op == UnaryOp::elu)
        return s > 0 ? 1.0f : s + alpha;
    else if constexpr (op == UnaryOp::selu)
        return s > 0 ? selu_scale : s + selu_scale * selu_alpha;
    else if constexpr (op == UnaryOp::sigmoid)
        return s * (1.0f - s);
    else if constexpr (op == UnaryOp::tanh)
        return 1.0f - s * s;
    else if constexpr (op == UnaryOp::gelu)
        return normal_cumulative(s) + s * normal_density(s);
    else if constexpr (op == UnaryOp::gelu_tanh) {
        const float p = sigmoid(two_sqrt_2_over_pi * (s + gelu_cubic * s * s * s));
        return p + s * p * (1.0f - p) * two_sqrt_2_over_pi * (1.0f + 3.0f * gelu_cubic * s * s);
    } else if constexpr (op == UnaryOp::silu) {
        const float p = sigmoid(s);
        return p * (1.0f + s * (1.0f - p));
    } else if constexpr (op == UnaryOp::softplus)
        return sigmoid(s);
    else {
        static_assert(op == UnaryOp::softsign);
        const float d = 1.0f + fabsf(s);
        return 1.0f / (d * d);
    }
}

template <UnaryOp op, class T>
struct Gradient {
    float alpha;

    __device__ T operator()(T dy) const { return from_f32<T>(to_f32(dy) * derivative<op>(0.0f, alpha)); }
    __device__ T operator()(T dy, T s) const { return from_f32<T>(to_f32(dy) * derivative<op>(to_f32(s), alpha)); }
};

template <class T, UnaryOp op>
void run_op(const UnaryBackward& args, KernelContext& context) {
    const Gradient<op, T> gradient{args.alpha};
    const Dense<T> dy{args.dy.as<const T>()};
    T* dx = args.dx.as<T>();
    if constexpr (needs(op) == DerivativeNeeds::neither) {
        map<map_width<T>>(context, gradient, dx, args.dx.elements(), dy);
    } else {
        const View& s = needs(op) == DerivativeNeeds::x ? args.x : args.y;
        map<map_width<T>>(context, gradient, dx, args.dx.elements(), dy, Dense<T>{s.as<const T>()});
    }
}

template <class T, std::size_t... op>
void run_as(const UnaryBackward& args, KernelContext& context, std::index_sequence<op...>) {
    static constexpr std::array runs = {&run_op<T, static_cast<UnaryOp>(op)>...};
    runs[static_cast<std::size_t>(args.op)](args, context);
}

}  // namespace

void register_unary_backward() {
    unary_backward().add({.name = "native",
                          .device = backend,
                          .priority = priority::plain,
                          .supports = [](const UnaryBackward& args) { return floating(args.dy.dtype); },
                          .run =
                              [](const UnaryBackward& args, KernelContext& context) {
                                  with_floating(args.dy.dtype, [&](auto zero) {
                                      run_as<decltype(zero)>(args, context, std::make_index_sequence<unary_ops>());
                                  });
                              }});
}

HEDDLE_KERNELS_END
