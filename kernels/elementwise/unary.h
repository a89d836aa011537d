#pragma once

#include <cstdint>

#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

enum class UnaryOp : std::uint8_t {
    negate,
    abs,
    sign,  ///< -1, 0, 1; NaN stays NaN
    square,
    reciprocal,
    sqrt,
    rsqrt,
    exp,
    expm1,
    log,
    log1p,
    sin,
    cos,
    floor,
    ceil,
    round,  ///< to nearest, ties to even
    erf,
    relu,        ///< max(x, 0); NaN stays NaN
    leaky_relu,  ///< x > 0 ? x : alpha x, alpha >= 0
    elu,         ///< x > 0 ? x : alpha (e^x - 1), alpha >= 0
    selu,        ///< Klambauer et al. 2017, arXiv:1706.02515
    sigmoid,
    tanh,
    gelu,       ///< x Phi(x), by erf; Hendrycks and Gimpel 2016, arXiv:1606.08415
    gelu_tanh,  ///< its approximation by tanh
    silu,       ///< x sigmoid(x), also called swish
    softplus,   ///< log(1 + e^x)
    softsign    ///< x / (1 + |x|)
};

/// What the derivative of an operation is computed from, besides dy.
enum class DerivativeNeeds : std::uint8_t { neither, x, y };

constexpr DerivativeNeeds needs(UnaryOp op) {
    switch (op) {
        case UnaryOp::negate:
        case UnaryOp::sign:
        case UnaryOp::floor:
        case UnaryOp::ceil:
        case UnaryOp::round:
            return DerivativeNeeds::neither;
        case UnaryOp::reciprocal:
        case UnaryOp::sqrt:
        case UnaryOp::rsqrt:
        case UnaryOp::exp:
        case UnaryOp::expm1:
        case UnaryOp::relu:
        case UnaryOp::leaky_relu:
        case UnaryOp::elu:
        case UnaryOp::selu:
        case UnaryOp::sigmoid:
        case UnaryOp::tanh:
            return DerivativeNeeds::y;
        default:
            return DerivativeNeeds::x;
    }
}

/// y = op(x), element by element; x and y: one shape and dtype, floating; negate, abs, sign, square and relu also
/// i32 and i64. y may be x.
struct Unary {
    UnaryOp op = UnaryOp::relu;
    float alpha = 0;  ///< of leaky_relu and elu; others ignore it
    View x;
    View y;
};
HEDDLE_API KernelTable<Unary>& unary();

/// dx = dy * op'(x), floating. Of x and y only what `needs(op)` names is read; the other may be absent. dx may be dy.
/// At a kink the derivative is the left one for relu and its kin (0, alpha), and 0 for abs.
struct UnaryBackward {
    UnaryOp op = UnaryOp::relu;
    float alpha = 0;
    View x;
    View y;
    View dy;
    View dx;
};
HEDDLE_API KernelTable<UnaryBackward>& unary_backward();

}  // namespace heddle::kernels
