#pragma once

#include <span>

#include "core/tensor.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/unary.h"

namespace heddle::ops {

using kernels::BinaryOp;
using kernels::UnaryOp;

/// a op b with broadcasting and promoted dtypes; comparisons give booleans. Differentiable: add, subtract, multiply,
/// divide, maximum, minimum, power (equal operands of maximum and minimum share the gradient, as in PyTorch, a number
/// being an operand too). Integers are divided in f32. Of booleans, + is "or" and * is "and"; they have no difference.
HEDDLE_API Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b);
/// x op scalar (or scalar op x); the result has the dtype of x, f32 where integers are divided. Integers are compared
/// with any number exactly. Throws `Error` where the arithmetic of integers would need a number that their type does
/// not have (a fraction, one out of range), for a negative power of integers, and for arithmetic of booleans.
HEDDLE_API Tensor binary(BinaryOp op, const Tensor& x, double scalar, bool scalar_first = false);
/// op(x); `alpha` is the slope of leaky_relu and the scale of elu. Of integers, functions whose values are fractions
/// (sqrt, exp, log, sin, sigmoid, ...) compute in f32, and rounding gives the tensor itself.
HEDDLE_API Tensor unary(UnaryOp op, const Tensor& x, float alpha = 0);

/// Their names ("add", "negate", ...), as in messages, in the order of the enumerations.
HEDDLE_API std::span<const char* const> binary_op_names();
HEDDLE_API std::span<const char* const> unary_op_names();

inline Tensor maximum(const Tensor& a, const Tensor& b) { return binary(BinaryOp::maximum, a, b); }
inline Tensor maximum(const Tensor& a, double b) { return binary(BinaryOp::maximum, a, b); }
inline Tensor minimum(const Tensor& a, const Tensor& b) { return binary(BinaryOp::minimum, a, b); }
inline Tensor minimum(const Tensor& a, double b) { return binary(BinaryOp::minimum, a, b); }
/// The quotient rounded down, in the promoted dtype; of integers exactly. For an integer 0 in b the result is
/// unspecified.
HEDDLE_API Tensor floor_divide(const Tensor& a, const Tensor& b);
HEDDLE_API Tensor floor_divide(const Tensor& a, double b);
inline Tensor pow(const Tensor& x, double exponent) { return binary(BinaryOp::power, x, exponent); }
inline Tensor pow(const Tensor& x, const Tensor& exponent) { return binary(BinaryOp::power, x, exponent); }
inline Tensor equal(const Tensor& a, const Tensor& b) { return binary(BinaryOp::equal, a, b); }
inline Tensor equal(const Tensor& a, double b) { return binary(BinaryOp::equal, a, b); }
inline Tensor not_equal(const Tensor& a, const Tensor& b) { return binary(BinaryOp::not_equal, a, b); }
inline Tensor not_equal(const Tensor& a, double b) { return binary(BinaryOp::not_equal, a, b); }
inline Tensor less(const Tensor& a, const Tensor& b) { return binary(BinaryOp::less, a, b); }
inline Tensor less(const Tensor& a, double b) { return binary(BinaryOp::less, a, b); }
inline Tensor less_equal(const Tensor& a, const Tensor& b) { return binary(BinaryOp::less_equal, a, b); }
inline Tensor less_equal(const Tensor& a, double b) { return binary(BinaryOp::less_equal, a, b); }
inline Tensor greater(const Tensor& a, const Tensor& b) { return binary(BinaryOp::greater, a, b); }
inline Tensor greater(const Tensor& a, double b) { return binary(BinaryOp::greater, a, b); }
inline Tensor greater_equal(const Tensor& a, const Tensor& b) { return binary(BinaryOp::greater_equal, a, b); }
inline Tensor greater_equal(const Tensor& a, double b) { return binary(BinaryOp::greater_equal, a, b); }
inline Tensor logical_and(const Tensor& a, const Tensor& b) { return binary(BinaryOp::logical_and, a, b); }
inline Tensor logical_or(const Tensor& a, const Tensor& b) { return binary(BinaryOp::logical_or, a, b); }

inline Tensor abs(const Tensor& x) { return unary(UnaryOp::abs, x); }
inline Tensor sign(const Tensor& x) { return unary(UnaryOp::sign, x); }
inline Tensor square(const Tensor& x) { return unary(UnaryOp::square, x); }
inline Tensor sqrt(const Tensor& x) { return unary(UnaryOp::sqrt, x); }
inline Tensor rsqrt(const Tensor& x) { return unary(UnaryOp::rsqrt, x); }
inline Tensor exp(const Tensor& x) { return unary(UnaryOp::exp, x); }
inline Tensor expm1(const Tensor& x) { return unary(UnaryOp::expm1, x); }
inline Tensor log(const Tensor& x) { return unary(UnaryOp::log, x); }
inline Tensor log1p(const Tensor& x) { return unary(UnaryOp::log1p, x); }
inline Tensor sin(const Tensor& x) { return unary(UnaryOp::sin, x); }
inline Tensor cos(const Tensor& x) { return unary(UnaryOp::cos, x); }
inline Tensor floor(const Tensor& x) { return unary(UnaryOp::floor, x); }
inline Tensor ceil(const Tensor& x) { return unary(UnaryOp::ceil, x); }
/// To the nearest whole number, ties to the even one.
inline Tensor round(const Tensor& x) { return unary(UnaryOp::round, x); }
inline Tensor erf(const Tensor& x) { return unary(UnaryOp::erf, x); }
inline Tensor relu(const Tensor& x) { return unary(UnaryOp::relu, x); }
inline Tensor leaky_relu(const Tensor& x, float slope = 0.2f) { return unary(UnaryOp::leaky_relu, x, slope); }
inline Tensor elu(const Tensor& x, float alpha = 1) { return unary(UnaryOp::elu, x, alpha); }
inline Tensor sigmoid(const Tensor& x) { return unary(UnaryOp::sigmoid, x); }
inline Tensor tanh(const Tensor& x) { return unary(UnaryOp::tanh, x); }
/// The exact form, x times the normal distribution function (PyTorch's and Keras's default).
inline Tensor gelu(const Tensor& x) { return unary(UnaryOp::gelu, x); }
inline Tensor silu(const Tensor& x) { return unary(UnaryOp::silu, x); }
inline Tensor softplus(const Tensor& x) { return unary(UnaryOp::softplus, x); }

/// condition ? a : b with broadcasting; condition is boolean.
HEDDLE_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
/// min(max(x, low), high); the gradient passes inside the bounds. Bounds of integers have no fraction.
HEDDLE_API Tensor clip(const Tensor& x, double low, double high);

}  // namespace heddle::ops
