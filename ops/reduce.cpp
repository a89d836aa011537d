#include "ops/reduce.h"

#include "kernels/copy/copy.h"
#include "kernels/reduce/reduce.h"
#include "ops/autograd/node.h"
#include "ops/copy.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;
using kernels::ReduceOp;

struct Extents {
    std::uint32_t mask = 0;
    std::int64_t reduced = 1;
    Shape kept;     // reduced axes as 1
    Shape dropped;  // reduced axes left out
};

Extents extents(const char* operation, const Tensor& x, std::initializer_list<int> axes) {
    require(x.defined(), operation, "the operand is undefined");
    Extents result;
    for (const int axis : axes) result.mask |= 1u << normalize_axis(axis, x.rank(), operation);
    if (axes.size() == 0) result.mask = (1u << x.rank()) - 1;
    for (int axis = 0; axis < x.rank(); ++axis) {
        const bool reduce = (result.mask >> axis & 1) != 0;
        result.kept.push_back(reduce ? 1 : x.shape()[axis]);
        if (reduce)
            result.reduced *= x.shape()[axis];
        else
            result.dropped.push_back(x.shape()[axis]);
    }
    return result;
}

/// Kernels order no elements of this type; `to(DType::i32)` keeps their values.
bool is_byte(DType dtype) { return size_of(dtype) == 1; }

Tensor reduce(const char* operation, ReduceOp op, const Tensor& x, std::initializer_list<int> axes, bool keep_dims) {
    const Extents e = extents(operation, x, axes);
    require(op == ReduceOp::sum || op == ReduceOp::mean || e.reduced > 0, operation, "no elements to reduce in {}",
            x.shape());
    require(op != ReduceOp::mean || is_floating(x.dtype()), operation,
            "expected a floating tensor, got {}: convert it with to(DType::f32)", x.dtype());
    if (op == ReduceOp::sum && !is_floating(x.dtype()) && x.dtype() != DType::i64)
        return reduce(operation, op, x.to(DType::i64), axes, keep_dims);
    if (is_byte(x.dtype())) return reduce(operation, op, x.to(DType::i32), axes, keep_dims).to(x.dtype());
    Tensor y = Tensor::empty(keep_dims ? e.kept : e.dropped, x.options());
    run(kernels::reduce(), {.op = op, .axes = e.mask, .x = view(x), .y = view(y)}, {&x}, {&y});
    if (!autograd::wants_record({&x})) return y;
    if (op == ReduceOp::sum || op == ReduceOp::mean) {
        const double scale = op == ReduceOp::mean ? 1.0 / static_cast<double>(e.reduced) : 1.0;
        autograd::record(operation, {&x}, y, [scale, kept = e.kept, from = x.shape()](Gradients& g) {
            Tensor dy = g.dy().reshape(kept);
            if (scale != 1.0) dy = dy * scale;
            g.dx(0) = broadcast_to(dy, from);
        });
    } else {
        autograd::record(operation, {&x}, y, [kept = e.kept, x = Saved(x), y = Saved(y)](Gradients& g) {
            // Equal extremes share the gradient evenly.
            const Tensor hit = equal(x.get(), y.get().reshape(kept)).to(g.dy().dtype());
            const Tensor count = Tensor::empty(kept, hit.options());
            run(kernels::reduce_to_shape(), {.x = view(hit), .y = view(count)}, {&hit}, {&count});
            g.dx(0) = hit * (g.dy().reshape(kept) / count);
        });
    }
    return y;
}

Tensor arg_reduce(const char* operation, bool max, const Tensor& x, int axis, bool keep_dims) {
    require(x.defined(), operation, "the operand is undefined");
    axis = normalize_axis(axis, x.rank(), operation);
    require(x.shape()[axis] > 0, operation, "no elements along axis {} of {}", axis, x.shape());
    if (is_byte(x.dtype())) return arg_reduce(operation, max, x.to(DType::i32), axis, keep_dims);
    Tensor y = Tensor::empty(keep_dims ? x.shape().with(axis, 1) : x.shape().without(axis), {DType::i64, x.device()});
    run(kernels::arg_reduce(), {.max = max, .axis = axis, .x = view(x), .y = view(y)}, {&x}, {&y});
    return y;
}

/// The variance, in f32 where x has 16 bits.
Tensor wide_variance(const char* operation, const Tensor& x, std::initializer_list<int> axes, bool keep_dims) {
    require(x.defined() && is_floating(x.dtype()), operation, "expected a floating tensor, got {}", x);
    const Tensor values = x.to(wide(x.dtype()));
    return mean(square(values - mean(values, axes, true)), axes, keep_dims);
}

}  // namespace

Tensor sum(const Tensor& x, std::initializer_list<int> axes, bool keep_dims) {
    return reduce("sum", ReduceOp::sum, x, axes, keep_dims);
}
Tensor mean(const Tensor& x, std::initializer_list<int> axes, bool keep_dims) {
    return reduce("mean", ReduceOp::mean, x, axes, keep_dims);
}
Tensor variance(const Tensor& x, std::initializer_list<int> axes, bool keep_dims) {
    return wide_variance("variance", x, axes, keep_dims).to(x.dtype());
}
Tensor std(const Tensor& x, std::initializer_list<int> axes, bool keep_dims) {
    const Tensor squares = wide_variance("std", x, axes, keep_dims), none = equal(squares, 0.0);
    const Tensor root = sqrt(where(none, Tensor::scalar(1, squares.options()), squares));
    return where(none, Tensor::scalar(0, squares.options()), root).to(x.dtype());
}
Tensor max(const Tensor& x, std::initializer_list<int> axes, bool keep_dims) {
    return reduce("max", ReduceOp::max, x, axes, keep_dims);
}
Tensor min(const Tensor& x, std::initializer_list<int> axes, bool keep_dims) {
    return reduce("min", ReduceOp::min, x, axes, keep_dims);
}
Tensor argmax(const Tensor& x, int axis, bool keep_dims) { return arg_reduce("argmax", true, x, axis, keep_dims); }
Tensor argmin(const Tensor& x, int axis, bool keep_dims) { return arg_reduce("argmin", false, x, axis, keep_dims); }

std::pair<Tensor, Tensor> topk(const Tensor& x, std::int64_t k) {
    require(x.defined() && x.rank() > 0, "topk", "expected a tensor with at least one dimension");
    require(k >= 0 && k <= x.shape().back(), "topk", "k = {} of {} elements", k, x.shape().back());
    if (is_byte(x.dtype())) {
        const auto [largest, places] = topk(x.to(DType::i32), k);
        return {largest.to(x.dtype()), places};
    }
    Tensor values = Tensor::empty(x.shape().with(-1, k), x.options());
    Tensor indices = Tensor::empty(values.shape(), {DType::i64, x.device()});
    run(kernels::top_k(), {.k = k, .x = view(x), .values = view(values), .indices = view(indices)}, {&x},
        {&values, &indices});
    if (autograd::wants_record({&x})) {
        autograd::record("topk", {&x}, values, [indices = Saved(indices), from = x.shape()](Gradients& g) {
            Tensor dx = Tensor::empty(from, g.dy().options());
            run(kernels::take_along_backward(), {.indices = view(indices.get()), .dy = view(g.dy()), .dx = view(dx)},
                {&indices.get(), &g.dy()}, {&dx});
            g.dx(0) = std::move(dx);
        });
    }
    return {values, indices};
}

}  // namespace heddle::ops

namespace heddle {

Tensor Tensor::sum() const { return ops::sum(*this); }
Tensor Tensor::sum(int axis, bool keep_dims) const { return ops::sum(*this, {axis}, keep_dims); }
Tensor Tensor::mean() const { return ops::mean(*this); }
Tensor Tensor::mean(int axis, bool keep_dims) const { return ops::mean(*this, {axis}, keep_dims); }
Tensor Tensor::max(int axis, bool keep_dims) const { return ops::max(*this, {axis}, keep_dims); }
Tensor Tensor::argmax(int axis) const { return ops::argmax(*this, axis); }

}  // namespace heddle
