#include "ops/linear.h"

#include "kernels/matmul/matmul.h"
#include "ops/autograd/node.h"
#include "ops/detail/epilogue.h"
#include "ops/detail/operands.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"
#include "ops/reduce.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;

/// Without autograd; the batch dimensions have been checked.
Tensor product(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
    const Tensor& batched = a.rank() >= b.rank() ? a : b;
    Shape shape = batched.shape().range(0, batched.rank() - 2);
    shape.push_back(a.shape().at(transpose_a ? -1 : -2));
    shape.push_back(b.shape().at(transpose_b ? -2 : -1));
    Tensor c = Tensor::empty(shape, a.options());
    run(kernels::matmul(),
        {.a = view(a), .b = view(b), .transpose_a = transpose_a, .transpose_b = transpose_b, .c = view(c)}, {&a, &b},
        {&c});
    return c;
}

/// The gradient of an operand without batch dimensions, summed over the other's.
Tensor sum_batches(const Tensor& gradient, const Shape& shape) {
    if (gradient.shape() == shape) return gradient;
    const std::int64_t batch = gradient.shape().elements(0, gradient.rank() - 2);
    return sum(gradient.reshape(Shape{batch, shape[0], shape[1]}), {0});
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, MatmulOptions options) {
    require(a.defined() && b.defined(), "matmul", "an operand is undefined");
    require(a.dtype() == b.dtype() && is_floating(a.dtype()) && a.device() == b.device(), "matmul",
            "expected floating operands of one dtype on one device, got {} and {}", a, b);
    require(a.rank() >= 2 && b.rank() >= 2, "matmul", "expected at least two dimensions, got {} and {}", a.shape(),
            b.shape());
    require(a.rank() == 2 || b.rank() == 2 || a.shape().range(0, a.rank() - 2) == b.shape().range(0, b.rank() - 2),
            "matmul", "batch dimensions of {} and {} differ", a.shape(), b.shape());
    const bool ta = options.transpose_a, tb = options.transpose_b;
    require(a.size(ta ? -2 : -1) == b.size(tb ? -1 : -2), "matmul", "inner dimensions of {} and {}{} differ", a.shape(),
            b.shape(), ta || tb ? " (transposed as asked)" : "");
    Tensor c = product(a, b, ta, tb);
    if (autograd::wants_record({&a, &b})) {
        autograd::record("matmul", {&a, &b}, c, [ta, tb, a = Saved(a), b = Saved(b)](Gradients& g) {
            const Tensor& dc = g.dy();
            if (g.wants(0))
                g.dx(0) = sum_batches(ta ? product(b.get(), dc, tb, true) : product(dc, b.get(), false, !tb),
                                      a.get().shape());
            if (g.wants(1))
                g.dx(1) = sum_batches(tb ? product(dc, a.get(), true, ta) : product(a.get(), dc, !ta, false),
                                      b.get().shape());
        });
    }
    return c;
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias, FusedActivation activation) {
    require(x.defined() && x.rank() >= 1, "linear", "expected an input with at least one dimension");
    require(w.defined() && w.rank() == 2, "linear", "expected weights [out, in], got {}", w);
    require(x.shape().back() == w.size(1), "linear", "expected {} input features, got {} (input shape {})", w.size(1),
            x.shape().back(), x.shape());
    require_as_weights("linear", x, w);
    require(!bias.defined() || (bias.shape() == Shape{w.size(0)} && bias.dtype() == w.dtype()), "linear",
            "expected a bias of {} {} values, got {}", w.size(0), w.dtype(), bias);
    const std::int64_t rows = x.shape().elements(0, x.rank() - 1);
    const Tensor flat = x.detach().reshape(Shape{rows, w.size(1)});
    Tensor y = Tensor::empty(x.shape().with(-1, w.size(0)), x.options());
    run(kernels::matmul(),
        {.a = view(flat),
         .b = view(w),
         .bias = view(bias),
         .transpose_b = true,
         .activation = activation,
         .c = View(y.raw(), Shape{rows, w.size(0)}, y.dtype())},
        {&x, &w, &bias}, {&y});
    if (autograd::wants_record({&x, &w, &bias})) {
        const bool masked = activation != FusedActivation::none;
        autograd::record(
            "linear", {&x, &w, &bias}, y,
            [x = Saved(flat), w = Saved(w), y = Saved(masked ? y : Tensor()), activation, x_shape = x.shape(),
             rows](Gradients& g) {
                const Tensor dy = finish_epilogue(g, 2, y.get(), activation).reshape(Shape{rows, w.get().size(0)});
                if (g.wants(0)) g.dx(0) = product(dy, w.get(), false, false).reshape(x_shape);
                if (g.wants(1)) g.dx(1) = product(dy, x.get(), true, false);
            });
    }
    return y;
}

}  // namespace heddle::ops
