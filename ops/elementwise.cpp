#include "ops/elementwise.h"

#include <cmath>

#include "kernels/elementwise/elementwise.h"
#include "kernels/reduce/reduce.h"
#include "ops/autograd/node.h"
#include "ops/detail/numbers.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;

constexpr const char* binary_names[] = {"add",        "subtract", "multiply",      "divide",      "maximum",
                                        "minimum",    "power",    "equal",         "not_equal",   "less",
                                        "less_equal", "greater",  "greater_equal", "logical_and", "logical_or"};
static_assert(std::size(binary_names) == static_cast<std::size_t>(BinaryOp::logical_or) + 1);
const char* name_of(BinaryOp op) { return binary_names[static_cast<std::size_t>(op)]; }

constexpr const char* unary_names[] = {"negate",  "abs",   "sign", "square",    "reciprocal", "sqrt",     "rsqrt",
                                       "exp",     "expm1", "log",  "log1p",     "sin",        "cos",      "floor",
                                       "ceil",    "round", "erf",  "relu",      "leaky_relu", "elu",      "selu",
                                       "sigmoid", "tanh",  "gelu", "gelu_tanh", "silu",       "softplus", "softsign"};
static_assert(std::size(unary_names) == static_cast<std::size_t>(UnaryOp::softsign) + 1);
const char* name_of(UnaryOp op) { return unary_names[static_cast<std::size_t>(op)]; }

void require_same_device(const char* operation, const Tensor& a, const Tensor& b) {
    require(a.defined() && b.defined(), operation, "an operand is undefined");
    require(a.device() == b.device(), operation, "operands on {} and {}; move one with to()", a.device(), b.device());
}

/// Sums a gradient over the axes that broadcasting had repeated.
Tensor reduce_to(const Tensor& gradient, const Shape& shape) {
    if (gradient.shape() == shape) return gradient;
    Tensor sum = Tensor::empty(shape, gradient.options());
    run(kernels::reduce_to_shape(), {.x = view(gradient), .y = view(sum)}, {&gradient}, {&sum});
    return sum;
}

/// Where the formula for the slope of a power gives 0 * infinity, the power is constant: x^0, and 0^x for x >= 0.
Tensor zero_where(const Tensor& condition, const Tensor& slope) {
    return where(condition, Tensor::zeros(Shape{}, slope.options()), slope);
}

/// d(a op b)/da of a maximum or minimum, b a tensor or a number: a tie gives each side one half, as in PyTorch.
template <class Other>
Tensor share_of(BinaryOp op, const Tensor& a, const Other& b, DType dtype) {
    const BinaryOp wins = op == BinaryOp::maximum ? BinaryOp::greater : BinaryOp::less;
    return binary(wins, a, b).to(dtype) + binary(BinaryOp::equal, a, b).to(dtype) * 0.5;
}

/// d(a op b)/da and /db times dy. Called only under NoGrad, so plain tensor arithmetic can be used.
void binary_backward(BinaryOp op, Gradients& g, const Saved& a, const Saved& b, const Shape& a_shape,
                     const Shape& b_shape) {
    const Tensor& dy = g.dy();
    const bool wants_a = g.wants(0), wants_b = g.wants(1);
    switch (op) {
        case BinaryOp::add:
            if (wants_a) g.dx(0) = reduce_to(dy, a_shape);
            if (wants_b) g.dx(1) = reduce_to(dy, b_shape);
            return;
        case BinaryOp::subtract:
            if (wants_a) g.dx(0) = reduce_to(dy, a_shape);
            if (wants_b) g.dx(1) = reduce_to(-dy, b_shape);
            return;
        case BinaryOp::multiply:
            if (wants_a) g.dx(0) = reduce_to(dy * b.get(), a_shape);
            if (wants_b) g.dx(1) = reduce_to(dy * a.get(), b_shape);
            return;
        case BinaryOp::divide:
            if (wants_a) g.dx(0) = reduce_to(dy / b.get(), a_shape);
            // b * b leaves the range of numbers long before a / b / b does.
            if (wants_b) g.dx(1) = reduce_to(-(dy * (a.get() / b.get() / b.get())), b_shape);
            return;
        case BinaryOp::maximum:
        case BinaryOp::minimum:
            if (wants_a) g.dx(0) = reduce_to(dy * share_of(op, a.get(), b.get(), dy.dtype()), a_shape);
            if (wants_b) g.dx(1) = reduce_to(dy * share_of(op, b.get(), a.get(), dy.dtype()), b_shape);
            return;
        case BinaryOp::power:
            if (wants_a) {
                const Tensor slope = b.get() * binary(BinaryOp::power, a.get(), b.get() - 1.0);
                g.dx(0) = reduce_to(dy * zero_where(binary(BinaryOp::equal, b.get(), 0.0), slope), a_shape);
            }
            if (wants_b) {
                const Tensor slope = binary(BinaryOp::power, a.get(), b.get()) * log(a.get());
                const Tensor flat = binary(BinaryOp::logical_and, binary(BinaryOp::equal, a.get(), 0.0),
                                           binary(BinaryOp::greater_equal, b.get(), 0.0));
                g.dx(1) = reduce_to(dy * zero_where(flat, slope), b_shape);
            }
            return;
        default:
            return;
    }
}

bool backward_needs_operands(BinaryOp op) { return op != BinaryOp::add && op != BinaryOp::subtract; }

void scalar_backward(BinaryOp op, Gradients& g, const Saved& x, double s, bool first) {
    Tensor& dy = g.dy();
    switch (op) {
        case BinaryOp::add:
            g.dx(0) = dy;
            return;
        case BinaryOp::subtract:
            g.dx(0) = first ? -dy : dy;
            return;
        case BinaryOp::multiply:
            g.dx(0) = dy * s;
            return;
        case BinaryOp::divide:
            g.dx(0) = first ? -(dy * (s / x.get() / x.get())) : dy / s;
            return;
        case BinaryOp::maximum:
        case BinaryOp::minimum:
            g.dx(0) = dy * share_of(op, x.get(), s, dy.dtype());
            return;
        case BinaryOp::power:
            if (!first) {
                g.dx(0) = s == 0 ? Tensor::zeros(dy.shape(), dy.options()) : dy * s * binary(op, x.get(), s - 1.0);
            } else {
                const Tensor slope = binary(op, x.get(), s, true) * std::log(s);
                g.dx(0) = dy * (s == 0 ? zero_where(binary(BinaryOp::greater_equal, x.get(), 0.0), slope) : slope);
            }
            return;
        default:
            return;
    }
}

/// x op number, with one kernel.
Tensor with_number(BinaryOp op, const Tensor& x, double number, bool number_first) {
    const bool comparison = kernels::gives_boolean(op);
    Tensor y = Tensor::empty(x.shape(), {comparison ? DType::boolean : x.dtype(), x.device()});
    run(kernels::scalar_binary(),
        {.op = op, .scalar = number, .scalar_first = number_first, .x = view(x), .y = view(y)}, {&x}, {&y});
    if (!comparison && autograd::wants_record({&x})) {
        autograd::record(name_of(op), {&x}, y,
                         [op, x = Saved(backward_needs_operands(op) && op != BinaryOp::multiply ? x : Tensor()), number,
                          number_first](Gradients& g) { scalar_backward(op, g, x, number, number_first); });
    }
    return y;
}

/// The comparison with its sides exchanged.
BinaryOp mirrored(BinaryOp op) {
    switch (op) {
        case BinaryOp::less:
            return BinaryOp::greater;
        case BinaryOp::less_equal:
            return BinaryOp::greater_equal;
        case BinaryOp::greater:
            return BinaryOp::less;
        case BinaryOp::greater_equal:
            return BinaryOp::less_equal;
        default:
            return op;
    }
}

/// Integers x compared with a number of any kind, exactly. One with a fraction stands between two integers, and one
/// beyond the type's range is larger or smaller than all of them.
Tensor compare_integers(BinaryOp op, const Tensor& x, double number) {
    const auto [lowest, highest] = range_of(x.dtype());
    const bool has_fraction = std::floor(number) != number, below = number > highest, above = number < lowest;
    const auto everywhere = [&](bool value) { return Tensor::full(x.shape(), value, {DType::boolean, x.device()}); };
    switch (op) {
        case BinaryOp::equal:
        case BinaryOp::not_equal:
            if (has_fraction || below || above) return everywhere(op == BinaryOp::not_equal);
            break;
        case BinaryOp::less:
        case BinaryOp::less_equal:
            if (std::isnan(number) || below || above) return everywhere(below);
            if (has_fraction) op = BinaryOp::less_equal;
            break;
        case BinaryOp::greater:
        case BinaryOp::greater_equal:
            if (std::isnan(number) || below || above) return everywhere(above);
            if (has_fraction) op = BinaryOp::greater;
            break;
        default:  // logical operations
            return with_number(op, x, number != 0 ? 1 : 0, false);
    }
    return with_number(op, x, std::floor(number), false);
}

/// a op b, both boolean: sums and products are those of truth values, as in PyTorch.
BinaryOp operation_of_booleans(BinaryOp op) {
    require(op != BinaryOp::subtract, name_of(op),
            "booleans have no difference: compare them with not_equal, or convert them with to(DType::i32)");
    return op == BinaryOp::add ? BinaryOp::logical_or : op == BinaryOp::multiply ? BinaryOp::logical_and : op;
}

/// Of integers, those whose results are no integers compute in f32, as in PyTorch.
bool gives_fractions(UnaryOp op) {
    switch (op) {
        case UnaryOp::reciprocal:
        case UnaryOp::sqrt:
        case UnaryOp::rsqrt:
        case UnaryOp::exp:
        case UnaryOp::expm1:
        case UnaryOp::log:
        case UnaryOp::log1p:
        case UnaryOp::sin:
        case UnaryOp::cos:
        case UnaryOp::erf:
        case UnaryOp::sigmoid:
        case UnaryOp::tanh:
            return true;
        default:
            return false;
    }
}

bool rounds(UnaryOp op) { return op == UnaryOp::floor || op == UnaryOp::ceil || op == UnaryOp::round; }

/// a / b of integers of one type, towards 0; 0 for a zero divisor.
Tensor truncated_quotient(const Tensor& a, const Tensor& b) {
    Tensor y = Tensor::empty(broadcast(a.shape(), b.shape(), "floor_divide"), a.options());
    run(kernels::binary(), {.op = BinaryOp::divide, .a = view(a), .b = view(b), .y = view(y)}, {&a, &b}, {&y});
    return y;
}

}  // namespace

std::span<const char* const> binary_op_names() { return binary_names; }
std::span<const char* const> unary_op_names() { return unary_names; }

Tensor binary(BinaryOp op, const Tensor& a_in, const Tensor& b_in) {
    const char* name = name_of(op);
    require_same_device(name, a_in, b_in);
    if (a_in.dtype() != b_in.dtype()) {
        const DType common = promote(a_in.dtype(), b_in.dtype());
        return binary(op, a_in.to(common), b_in.to(common));
    }
    if (op == BinaryOp::divide && !is_floating(a_in.dtype()))
        return binary(op, a_in.to(DType::f32), b_in.to(DType::f32));
    if (a_in.dtype() == DType::boolean) op = operation_of_booleans(op);
    const bool comparison = kernels::gives_boolean(op);
    Tensor y = Tensor::empty(broadcast(a_in.shape(), b_in.shape(), name),
                             {comparison ? DType::boolean : a_in.dtype(), a_in.device()});
    run(kernels::binary(), {.op = op, .a = view(a_in), .b = view(b_in), .y = view(y)}, {&a_in, &b_in}, {&y});
    if (!comparison && autograd::wants_record({&a_in, &b_in})) {
        const bool keep = backward_needs_operands(op);
        autograd::record(
            name, {&a_in, &b_in}, y,
            [op, a = Saved(keep ? a_in : Tensor()), b = Saved(keep ? b_in : Tensor()), a_shape = a_in.shape(),
             b_shape = b_in.shape()](Gradients& g) { binary_backward(op, g, a, b, a_shape, b_shape); });
    }
    return y;
}

Tensor binary(BinaryOp op, const Tensor& x, double scalar, bool scalar_first) {
    const char* name = name_of(op);
    require(x.defined(), name, "the operand is undefined");
    if (is_floating(x.dtype())) return with_number(op, x, scalar, scalar_first);
    if (op == BinaryOp::divide) return with_number(op, x.to(DType::f32), scalar, scalar_first);
    if (kernels::gives_boolean(op)) return compare_integers(scalar_first ? mirrored(op) : op, x, scalar);
    require(x.dtype() != DType::boolean, name,
            "a boolean tensor and the number {}: convert the tensor with to(DType::f32) or to(DType::i32)", scalar);
    require_number(name, scalar, x.dtype());
    require(op != BinaryOp::power || scalar_first || scalar >= 0, name,
            "a tensor of {} has no power of {}: convert it with to(DType::f32)", x.dtype(), scalar);
    return with_number(op, x, scalar, scalar_first);
}

Tensor unary(UnaryOp op, const Tensor& x, float alpha) {
    const char* name = name_of(op);
    require(x.defined(), name, "the operand is undefined");
    if (!is_floating(x.dtype())) {
        if (gives_fractions(op)) return unary(op, x.to(DType::f32), alpha);
        if (rounds(op)) return x;
        require(op == UnaryOp::negate || op == UnaryOp::abs || op == UnaryOp::sign || op == UnaryOp::square ||
                    op == UnaryOp::relu,
                name, "expected a floating tensor, got {}: convert it with to(DType::f32)", x.dtype());
        require(x.dtype() == DType::i32 || x.dtype() == DType::i64, name,
                "expected a floating tensor or one of i32 or i64, got {}: convert it with to(DType::i32)", x.dtype());
    }
    Tensor y = Tensor::empty(x.shape(), x.options());
    run(kernels::unary(), {.op = op, .alpha = alpha, .x = view(x), .y = view(y)}, {&x}, {&y});
    if (autograd::wants_record({&x})) {
        const auto needs = kernels::needs(op);
        autograd::record(name, {&x}, y,
                         [op, alpha, saved_x = Saved(needs == kernels::DerivativeNeeds::x ? x : Tensor()),
                          saved_y = Saved(needs == kernels::DerivativeNeeds::y ? y : Tensor())](Gradients& g) {
                             Tensor& dy = g.dy();
                             Tensor dx = autograd::unique(dy) ? dy : Tensor::empty(dy.shape(), dy.options());
                             run(kernels::unary_backward(),
                                 {.op = op,
                                  .alpha = alpha,
                                  .x = view(saved_x.get()),
                                  .y = view(saved_y.get()),
                                  .dy = view(dy),
                                  .dx = view(dx)},
                                 {&dy, &saved_x.get(), &saved_y.get()}, {&dx});
                             g.dx(0) = std::move(dx);
                         });
    }
    return y;
}

Tensor floor_divide(const Tensor& a, const Tensor& b) {
    require_same_device("floor_divide", a, b);
    const DType common = promote(a.dtype(), b.dtype());
    if (is_floating(common))  // 16 bits would round 254.6 up before it is rounded down
        return floor(a.to(wide(common)) / b.to(wide(common))).to(common);
    require(common != DType::boolean, "floor_divide", "booleans have no quotient: convert them with to(DType::i32)");
    const Tensor dividend = a.to(common), divisor = b.to(common), quotient = truncated_quotient(dividend, divisor);
    const Tensor rest = dividend - quotient * divisor;
    const Tensor above =
        logical_and(not_equal(rest, 0.0), not_equal(less(rest, 0.0), less(divisor, 0.0)));  // the exact quotient
    return quotient - above.to(common);
}

Tensor floor_divide(const Tensor& a, double b) {
    require(a.defined(), "floor_divide", "the operand is undefined");
    if (is_floating(a.dtype())) return floor(a.to(wide(a.dtype())) / b).to(a.dtype());
    require_number("floor_divide", b, a.dtype());
    return floor_divide(a, Tensor::scalar(b, a.options()));
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
    require_same_device("where", a, b);
    require(condition.defined() && condition.dtype() == DType::boolean, "where",
            "the condition must be a boolean tensor");
    if (a.dtype() != b.dtype()) {
        const DType common = promote(a.dtype(), b.dtype());
        return where(condition, a.to(common), b.to(common));
    }
    const Shape shape = broadcast(condition.shape(), broadcast(a.shape(), b.shape(), "where"), "where");
    Tensor y = Tensor::empty(shape, a.options());
    run(kernels::where(), {.condition = view(condition), .a = view(a), .b = view(b), .y = view(y)},
        {&condition, &a, &b}, {&y});
    if (autograd::wants_record({&a, &b})) {
        autograd::record("where", {&a, &b}, y,
                         [condition = Saved(condition), a_shape = a.shape(), b_shape = b.shape()](Gradients& g) {
                             const Tensor zero = Tensor::zeros(Shape{}, g.dy().options());
                             if (g.wants(0)) g.dx(0) = reduce_to(where(condition.get(), g.dy(), zero), a_shape);
                             if (g.wants(1)) g.dx(1) = reduce_to(where(condition.get(), zero, g.dy()), b_shape);
                         });
    }
    return y;
}

namespace {

/// A bound beyond the type's range is none.
Tensor clip_integers(const Tensor& x, double low, double high) {
    const auto [lowest, highest] = range_of(x.dtype());
    const Tensor raised = low > lowest ? maximum(x, low) : x;
    return high < highest ? minimum(raised, high) : raised;
}

}  // namespace

Tensor clip(const Tensor& x, double low, double high) {
    require(x.defined(), "clip", "the operand is undefined");
    require(low <= high, "clip", "expected low <= high, got {} and {}", low, high);
    if (!is_floating(x.dtype())) return clip_integers(x, low, high);
    Tensor y = Tensor::empty(x.shape(), x.options());
    run(kernels::clip(), {.low = low, .high = high, .x = view(x), .y = view(y)}, {&x}, {&y});
    if (autograd::wants_record({&x})) {
        autograd::record("clip", {&x}, y, [low, high, x = Saved(x)](Gradients& g) {
            Tensor dx = Tensor::empty(x.get().shape(), x.get().options());
            run(kernels::clip_backward(),
                {.low = low, .high = high, .x = view(x.get()), .dy = view(g.dy()), .dx = view(dx)}, {&x.get(), &g.dy()},
                {&dx});
            g.dx(0) = std::move(dx);
        });
    }
    return y;
}

}  // namespace heddle::ops

namespace heddle {

using ops::BinaryOp;

Tensor operator+(const Tensor& a, const Tensor& b) { return ops::binary(BinaryOp::add, a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return ops::binary(BinaryOp::subtract, a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return ops::binary(BinaryOp::multiply, a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return ops::binary(BinaryOp::divide, a, b); }
Tensor operator+(const Tensor& a, double b) { return ops::binary(BinaryOp::add, a, b); }
Tensor operator-(const Tensor& a, double b) { return ops::binary(BinaryOp::subtract, a, b); }
Tensor operator*(const Tensor& a, double b) { return ops::binary(BinaryOp::multiply, a, b); }
Tensor operator/(const Tensor& a, double b) { return ops::binary(BinaryOp::divide, a, b); }
Tensor operator+(double a, const Tensor& b) { return ops::binary(BinaryOp::add, b, a); }
Tensor operator-(double a, const Tensor& b) { return ops::binary(BinaryOp::subtract, b, a, true); }
Tensor operator*(double a, const Tensor& b) { return ops::binary(BinaryOp::multiply, b, a); }
Tensor operator/(double a, const Tensor& b) { return ops::binary(BinaryOp::divide, b, a, true); }
Tensor Tensor::operator-() const { return ops::unary(ops::UnaryOp::negate, *this); }

}  // namespace heddle
