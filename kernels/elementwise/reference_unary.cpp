#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/element_types.h"
#include "kernels/elementwise/implementations.h"

namespace heddle::kernels {
namespace {

constexpr double selu_alpha = 1.6732632423543772848170429916717, selu_scale = 1.0507009873554804934193349852946;
const double sqrt_half = std::sqrt(0.5), sqrt_2_over_pi = std::sqrt(2 / M_PI), gelu_cubic = 0.044715;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double normal_cdf(double x) { return 0.5 * std::erfc(-x * sqrt_half); }
double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI); }

double value(UnaryOp op, double alpha, double x) {
    switch (op) {
        case UnaryOp::negate:
            return -x;
        case UnaryOp::abs:
            return std::abs(x);
        case UnaryOp::sign:
            return x > 0 ? 1 : (x < 0 ? -1 : (x == 0 ? 0 : x));
        case UnaryOp::square:
            return x * x;
        case UnaryOp::reciprocal:
            return 1 / x;
        case UnaryOp::sqrt:
            return std::sqrt(x);
        case UnaryOp::rsqrt:
            return 1 / std::sqrt(x);
        case UnaryOp::exp:
            return std::exp(x);
        case UnaryOp::expm1:
            return std::expm1(x);
        case UnaryOp::log:
            return std::log(x);
        case UnaryOp::log1p:
            return std::log1p(x);
        case UnaryOp::sin:
            return std::sin(x);
        case UnaryOp::cos:
            return std::cos(x);
        case UnaryOp::floor:
            return std::floor(x);
        case UnaryOp::ceil:
            return std::ceil(x);
        case UnaryOp::round:
            return std::nearbyint(x);
        case UnaryOp::erf:
            return std::erf(x);
        case UnaryOp::relu:
            return x < 0 ? 0 : x;
        case UnaryOp::leaky_relu:
            return x > 0 ? x : alpha * x;
        case UnaryOp::elu:
            return x > 0 ? x : alpha * std::expm1(x);
        case UnaryOp::selu:
            return selu_scale * (x > 0 ? x : selu_alpha * std::expm1(x));
        case UnaryOp::sigmoid:
            return sigmoid(x);
        case UnaryOp::tanh:
            return std::tanh(x);
        case UnaryOp::gelu:
            return x * normal_cdf(x);
        case UnaryOp::gelu_tanh:
            return x * sigmoid(2 * sqrt_2_over_pi * (x + gelu_cubic * x * x * x));  // (1 + tanh u) / 2 = sigmoid(2 u)
        case UnaryOp::silu:
            return x * sigmoid(x);
        case UnaryOp::softplus:
            return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
        case UnaryOp::softsign:
            return x / (1 + std::abs(x));
    }
    return 0;
}

/// x or y is 0 where it is not needed.
double derivative(UnaryOp op, double alpha, double x, double y) {
    switch (op) {
        case UnaryOp::negate:
            return -1;
        case UnaryOp::abs:
            return x > 0 ? 1 : (x < 0 ? -1 : 0);
        case UnaryOp::sign:
        case UnaryOp::floor:
        case UnaryOp::ceil:
        case UnaryOp::round:
            return 0;
        case UnaryOp::square:
            return 2 * x;
        case UnaryOp::reciprocal:
            return -y * y;
        case UnaryOp::sqrt:
            return 0.5 / y;
        case UnaryOp::rsqrt:
            return -0.5 * y * y * y;
        case UnaryOp::exp:
            return y;
        case UnaryOp::expm1:
            return y + 1;
        case UnaryOp::log:
            return 1 / x;
        case UnaryOp::log1p:
            return 1 / (1 + x);
        case UnaryOp::sin:
            return std::cos(x);
        case UnaryOp::cos:
            return -std::sin(x);
        case UnaryOp::erf:
            return 2 / std::sqrt(M_PI) * std::exp(-x * x);
        case UnaryOp::relu:
            return y > 0 ? 1 : 0;
        case UnaryOp::leaky_relu:
            return y > 0 ? 1 : alpha;
        case UnaryOp::elu:
            return y > 0 ? 1 : y + alpha;
        case UnaryOp::selu:
            return y > 0 ? selu_scale : y + selu_scale * selu_alpha;
        case UnaryOp::sigmoid:
            return y * (1 - y);
        case UnaryOp::tanh:
            return 1 - y * y;
        case UnaryOp::gelu:
            return normal_cdf(x) + x * normal_density(x);
        case UnaryOp::gelu_tanh: {
            const double s = sigmoid(2 * sqrt_2_over_pi * (x + gelu_cubic * x * x * x));
            return s + x * s * (1 - s) * 2 * sqrt_2_over_pi * (1 + 3 * gelu_cubic * x * x);
        }
        case UnaryOp::silu:
            return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
        case UnaryOp::softplus:
            return sigmoid(x);
        case UnaryOp::softsign:
            return 1 / ((1 + std::abs(x)) * (1 + std::abs(x)));
    }
    return 0;
}

template <class T>
T integer_value(UnaryOp op, T x) {
    using Unsigned = std::make_unsigned_t<T>;
    const auto bits = static_cast<Unsigned>(x);
    switch (op) {
        case UnaryOp::negate:
            return static_cast<T>(Unsigned{} - bits);
        case UnaryOp::abs:
            return x < 0 ? static_cast<T>(Unsigned{} - bits) : x;
        case UnaryOp::sign:
            return x > 0 ? 1 : (x < 0 ? -1 : 0);
        case UnaryOp::square:
            return static_cast<T>(bits * bits);
        default:
            return x < 0 ? 0 : x;
    }
}

bool takes_integers(UnaryOp op) {
    return op == UnaryOp::negate || op == UnaryOp::abs || op == UnaryOp::sign || op == UnaryOp::square ||
           op == UnaryOp::relu;
}

void run_unary(const Unary& args, KernelContext&) {
    with_number_type(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.y.elements(); ++i) {
            const T x = args.x.as<T>()[i];
            if constexpr (std::is_integral_v<T>)
                args.y.as<T>()[i] = integer_value(args.op, x);
            else
                args.y.as<T>()[i] = static_cast<T>(value(args.op, double(args.alpha), double(x)));
        }
    });
}

void run_backward(const UnaryBackward& args, KernelContext&) {
    const DerivativeNeeds needed = needs(args.op);
    with_float_type(args.dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        for (std::int64_t i = 0; i < args.dx.elements(); ++i) {
            const double x = needed == DerivativeNeeds::x ? double(args.x.as<T>()[i]) : 0,
                         y = needed == DerivativeNeeds::y ? double(args.y.as<T>()[i]) : 0;
            args.dx.as<T>()[i] =
                static_cast<T>(double(args.dy.as<T>()[i]) * derivative(args.op, double(args.alpha), x, y));
        }
    });
}

}  // namespace

void add_reference(KernelTable<Unary>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports =
                   [](const Unary& args) {
                       const bool integer = args.x.dtype == DType::i32 || args.x.dtype == DType::i64;
                       return integer && takes_integers(args.op) ? Support::yes() : float_or_double(args.x.dtype);
                   },
               .run = run_unary});
}

void add_reference(KernelTable<UnaryBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const UnaryBackward& args) { return float_or_double(args.dy.dtype); },
               .run = run_backward});
}

}  // namespace heddle::kernels
