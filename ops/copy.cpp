#include "ops/copy.h"

#include <algorithm>

#include "kernels/reduce/reduce.h"
#include "ops/autograd/node.h"
#include "ops/detail/numbers.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;
using Axes = std::array<int, Shape::max_rank>;

Tensor permute_axes(const Tensor& x, const Axes& axes) {
    Shape shape;
    for (int axis = 0; axis < x.rank(); ++axis) shape.push_back(x.shape()[axes[static_cast<std::size_t>(axis)]]);
    Tensor y = Tensor::empty(shape, x.options());
    run(kernels::permute(), {.axes = axes, .x = view(x), .y = view(y)}, {&x}, {&y});
    if (autograd::wants_record({&x})) {
        Axes inverse{};
        for (int axis = 0; axis < x.rank(); ++axis)
            inverse[static_cast<std::size_t>(axes[static_cast<std::size_t>(axis)])] = axis;
        autograd::record("permute", {&x}, y, [inverse](Gradients& g) { g.dx(0) = permute_axes(g.dy(), inverse); });
    }
    return y;
}

std::vector<const Tensor*> pointers(std::span<const Tensor> tensors) {
    std::vector<const Tensor*> result;
    for (const Tensor& tensor : tensors) result.push_back(&tensor);
    return result;
}

void require_indices(const char* operation, const Tensor& indices, std::int64_t extent) {
    require(indices.defined() && (indices.dtype() == DType::i32 || indices.dtype() == DType::i64), operation,
            "indices must be i32 or i64, got {}", indices);
    if (indices.device().kind != DeviceKind::cpu) return;  // a check there would make the host wait
    const auto scan = [&](auto zero) {
        using T = decltype(zero);
        const T* values = indices.data<T>();
        for (std::int64_t i = 0; i < indices.elements(); ++i)
            require(values[i] >= 0 && values[i] < extent, operation, "index {} (element {}) is outside 0 .. {}",
                    values[i], i, extent - 1);
    };
    if (indices.dtype() == DType::i32)
        scan(std::int32_t{});
    else
        scan(std::int64_t{});
}

}  // namespace

Tensor permute(const Tensor& x, std::span<const int> axes) {
    require(x.defined() && static_cast<int>(axes.size()) == x.rank(), "permute", "{} axes for shape {}", axes.size(),
            x);
    Axes order{};
    std::uint32_t seen = 0;
    std::size_t i = 0;
    for (const int axis : axes) {
        order[i] = normalize_axis(axis, x.rank(), "permute");
        seen |= 1u << order[i++];
    }
    require(seen == (1u << x.rank()) - 1, "permute", "every axis of {} must be named once", x.shape());
    return permute_axes(x, order);
}

Tensor transpose(const Tensor& x, int a, int b) {
    require(x.defined(), "transpose", "the operand is undefined");
    a = normalize_axis(a, x.rank(), "transpose");
    b = normalize_axis(b, x.rank(), "transpose");
    Axes axes{};
    for (int axis = 0; axis < x.rank(); ++axis)
        axes[static_cast<std::size_t>(axis)] = axis == a ? b : axis == b ? a : axis;
    return permute_axes(x, axes);
}

Tensor concat(std::span<const Tensor> parts, int axis) {
    require(!parts.empty(), "concat", "no tensors given");
    const Tensor& first = parts[0];
    require(first.defined(), "concat", "an operand is undefined");
    axis = normalize_axis(axis, first.rank(), "concat");
    kernels::Concat args{.axis = axis, .parts = {}, .y = {}};
    std::vector<std::int64_t> extents;
    std::int64_t total = 0;
    for (const Tensor& part : parts) {
        require(part.defined() && part.rank() == first.rank() && part.dtype() == first.dtype() &&
                    part.device() == first.device() && part.shape().with(axis, 0) == first.shape().with(axis, 0),
                "concat", "{} does not go with {} along axis {}", part, first, axis);
        args.parts.push_back(view(part));
        extents.push_back(part.shape()[axis]);
        total += part.shape()[axis];
    }
    Tensor y = Tensor::empty(first.shape().with(axis, total), first.options());
    args.y = view(y);
    const auto inputs = pointers(parts);
    const Tensor* output = &y;
    run(kernels::concat(), args, inputs, std::span(&output, 1));
    bool any = false;
    for (const Tensor& part : parts) any = any || autograd::wants_record({&part});
    if (any) {
        autograd::record("concat", inputs, std::span(&y, 1), [axis, extents](Gradients& g) {
            std::vector<Tensor> pieces = split(g.dy(), extents, axis);
            for (std::size_t i = 0; i < pieces.size(); ++i)
                if (g.wants(static_cast<int>(i))) g.dx(static_cast<int>(i)) = std::move(pieces[i]);
        });
    }
    return y;
}

std::vector<Tensor> split(const Tensor& x, std::span<const std::int64_t> extents, int axis) {
    require(x.defined(), "split", "the operand is undefined");
    axis = normalize_axis(axis, x.rank(), "split");
    std::int64_t total = 0;
    for (const std::int64_t extent : extents) {
        require(extent >= 0, "split", "negative extent {}", extent);
        total += extent;
    }
    require(total == x.shape()[axis], "split", "the parts add up to {}, axis {} has {}", total, axis, x.shape()[axis]);
    std::vector<Tensor> parts;
    kernels::Split args{.axis = axis, .x = view(x), .parts = {}};
    for (const std::int64_t extent : extents) {
        parts.push_back(Tensor::empty(x.shape().with(axis, extent), x.options()));
        args.parts.push_back(view(parts.back()));
    }
    if (parts.empty()) return parts;
    const Tensor* source = &x;
    run(kernels::split(), args, std::span(&source, 1), pointers(parts));
    if (autograd::wants_record({&x})) {
        const Tensor* input = &x;
        autograd::record(
            "split", std::span(&input, 1), std::span(parts),
            [axis, from = x.shape(), sizes = std::vector<std::int64_t>(extents.begin(), extents.end()),
             options = x.options()](Gradients& g) {
                std::vector<Tensor> pieces;
                for (std::size_t i = 0; i < sizes.size(); ++i) {
                    Tensor& dy = g.dy(static_cast<int>(i));
                    pieces.push_back(dy.defined() ? dy : Tensor::zeros(from.with(axis, sizes[i]), options));
                }
                g.dx(0) = concat(pieces, axis);
            });
    }
    return parts;
}

Tensor stack(std::span<const Tensor> parts) {
    require(!parts.empty(), "stack", "no tensors given");
    std::vector<Tensor> rows;
    for (const Tensor& part : parts) {
        require(part.defined() && part.shape() == parts[0].shape(), "stack", "{} does not go with {}", part, parts[0]);
        Shape shape{1};
        for (const std::int64_t extent : part.shape()) shape.push_back(extent);
        rows.push_back(part.reshape(shape));
    }
    return concat(rows, 0);
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
    require(x.defined() && broadcast(x.shape(), shape, "broadcast_to") == shape, "broadcast_to",
            "{} does not broadcast to {}", x, shape);
    if (x.shape() == shape) return x;
    Tensor y = Tensor::empty(shape, x.options());
    run(kernels::broadcast_to(), {.x = view(x), .y = view(y)}, {&x}, {&y});
    if (autograd::wants_record({&x}))
        autograd::record("broadcast_to", {&x}, y, [from = x.shape()](Gradients& g) {
            Tensor dx = Tensor::empty(from, g.dy().options());
            run(kernels::reduce_to_shape(), {.x = view(g.dy()), .y = view(dx)}, {&g.dy()}, {&dx});
            g.dx(0) = std::move(dx);
        });
    return y;
}

Tensor pad(const Tensor& x, std::span<const std::array<std::int64_t, 2>> widths, PadMode mode, double value) {
    require(x.defined() && static_cast<int>(widths.size()) == x.rank(), "pad", "{} pairs for shape {}", widths.size(),
            x);
    require_number("pad", value, x.dtype());
    Shape shape;
    std::array<std::int64_t, Shape::max_rank> before{};
    for (std::size_t axis = 0; axis < widths.size(); ++axis) {
        const std::int64_t extent = x.shape()[static_cast<int>(axis)];
        for (const std::int64_t width : widths[axis])
            require(width >= 0 && (mode != PadMode::reflect || width == 0 || width < extent), "pad",
                    "width {} along axis {} of {}", width, axis, x.shape());
        require(mode != PadMode::edge || extent > 0 || widths[axis][0] + widths[axis][1] == 0, "pad",
                "axis {} of {} is empty", axis, x.shape());
        before[axis] = widths[axis][0];
        shape.push_back(extent + widths[axis][0] + widths[axis][1]);
    }
    Tensor y = Tensor::empty(shape, x.options());
    run(kernels::pad(), {.mode = mode, .value = value, .before = before, .x = view(x), .y = view(y)}, {&x}, {&y});
    if (autograd::wants_record({&x}))
        autograd::record("pad", {&x}, y, [mode, before, from = x.shape()](Gradients& g) {
            Tensor dx = Tensor::empty(from, g.dy().options());
            run(kernels::pad_backward(), {.mode = mode, .before = before, .dy = view(g.dy()), .dx = view(dx)},
                {&g.dy()}, {&dx});
            g.dx(0) = std::move(dx);
        });
    return y;
}

namespace {

Tensor strided_slice(const Tensor& x, const Shape& shape, const std::array<std::int64_t, Shape::max_rank>& starts,
                     const std::array<std::int64_t, Shape::max_rank>& steps) {
    Tensor y = Tensor::empty(shape, x.options());
    if (y.elements() > 0)
        run(kernels::slice(), {.starts = starts, .steps = steps, .x = view(x), .y = view(y)}, {&x}, {&y});
    if (autograd::wants_record({&x}))
        autograd::record("slice", {&x}, y, [starts, steps, from = x.shape()](Gradients& g) {
            Tensor dx = Tensor::empty(from, g.dy().options());
            run(kernels::slice_backward(), {.starts = starts, .steps = steps, .dy = view(g.dy()), .dx = view(dx)},
                {&g.dy()}, {&dx});
            g.dx(0) = std::move(dx);
        });
    return y;
}

}  // namespace

Tensor slice(const Tensor& x, std::initializer_list<Range> ranges) {
    require(x.defined() && static_cast<int>(ranges.size()) <= x.rank(), "slice", "{} ranges for shape {}",
            ranges.size(), x);
    Shape shape = x.shape();
    std::array<std::int64_t, Shape::max_rank> starts{}, steps;
    steps.fill(1);
    int axis = 0;
    for (const Range& range : ranges) {
        const std::int64_t extent = x.shape()[axis];
        require(range.step >= 1, "slice", "step {} along axis {}; flip() reverses", range.step, axis);
        const auto place = [extent](std::int64_t index) {
            return std::clamp<std::int64_t>(index < 0 ? index + extent : index, 0, extent);
        };
        const std::int64_t start = place(range.start), stop = std::max(start, place(range.stop));
        starts[static_cast<std::size_t>(axis)] = start;
        steps[static_cast<std::size_t>(axis)] = range.step;
        shape[axis++] = (stop - start + range.step - 1) / range.step;
    }
    return strided_slice(x, shape, starts, steps);
}

Tensor flip(const Tensor& x, int axis) {
    require(x.defined(), "flip", "the operand is undefined");
    axis = normalize_axis(axis, x.rank(), "flip");
    std::array<std::int64_t, Shape::max_rank> starts{}, steps;
    steps.fill(1);
    starts[static_cast<std::size_t>(axis)] = x.shape()[axis] - 1;
    steps[static_cast<std::size_t>(axis)] = -1;
    return strided_slice(x, x.shape(), starts, steps);
}

namespace {

/// The operands are checked. Row `constant` of the leading axis gets no gradient.
Tensor gather_along(const Tensor& x, const Tensor& indices, int axis, std::optional<std::int64_t> constant) {
    Shape shape = x.shape().range(0, axis);
    for (const std::int64_t extent : indices.shape()) shape.push_back(extent);
    for (int i = axis + 1; i < x.rank(); ++i) shape.push_back(x.shape()[i]);
    Tensor y = Tensor::empty(shape, x.options());
    run(kernels::gather(), {.axis = axis, .x = view(x), .indices = view(indices), .y = view(y)}, {&x, &indices}, {&y});
    if (autograd::wants_record({&x}))
        autograd::record("gather", {&x}, y, [axis, constant, indices = Saved(indices), from = x.shape()](Gradients& g) {
            Tensor dx = Tensor::empty(from, g.dy().options());
            run(kernels::gather_backward(),
                {.axis = axis, .indices = view(indices.get()), .dy = view(g.dy()), .dx = view(dx)},
                {&indices.get(), &g.dy()}, {&dx});
            if (constant) dx.slice(*constant, *constant + 1).fill_(0);
            g.dx(0) = std::move(dx);
        });
    return y;
}

}  // namespace

Tensor gather(const Tensor& x, const Tensor& indices, int axis) {
    require(x.defined(), "gather", "the operand is undefined");
    axis = normalize_axis(axis, x.rank(), "gather");
    require_indices("gather", indices, x.shape()[axis]);
    return gather_along(x, indices, axis, {});
}

Tensor embedding(const Tensor& table, const Tensor& indices, std::optional<std::int64_t> padding_index) {
    require(table.defined() && table.rank() == 2, "embedding", "expected a table [rows, size], got {}", table);
    require_indices("embedding", indices, table.size(0));
    require(!padding_index || (*padding_index >= 0 && *padding_index < table.size(0)), "embedding",
            "padding index {} is outside 0 .. {}", padding_index.value_or(0), table.size(0) - 1);
    return gather_along(table, indices, 0, padding_index);
}

Tensor take_along(const Tensor& x, const Tensor& indices) {
    require(x.defined() && x.rank() > 0, "take_along", "expected a tensor with at least one dimension");
    require_indices("take_along", indices, x.shape().back());
    require(indices.rank() == x.rank() && indices.shape().with(-1, 0) == x.shape().with(-1, 0), "take_along",
            "indices {} do not go with {}", indices.shape(), x.shape());
    Tensor y = Tensor::empty(indices.shape(), x.options());
    run(kernels::take_along(), {.x = view(x), .indices = view(indices), .y = view(y)}, {&x, &indices}, {&y});
    if (autograd::wants_record({&x}))
        autograd::record("take_along", {&x}, y, [indices = Saved(indices), from = x.shape()](Gradients& g) {
            Tensor dx = Tensor::empty(from, g.dy().options());
            run(kernels::take_along_backward(), {.indices = view(indices.get()), .dy = view(g.dy()), .dx = view(dx)},
                {&indices.get(), &g.dy()}, {&dx});
            g.dx(0) = std::move(dx);
        });
    return y;
}

Tensor one_hot(const Tensor& indices, std::int64_t classes, DType dtype) {
    require(classes >= 1, "one_hot", "expected at least one class, got {}", classes);
    require_indices("one_hot", indices, classes);
    Shape shape = indices.shape();
    shape.push_back(classes);
    Tensor y = Tensor::empty(shape, {dtype, indices.device()});
    run(kernels::one_hot(), {.indices = view(indices), .y = view(y)}, {&indices}, {&y});
    return y;
}

}  // namespace heddle::ops

namespace heddle {

Tensor Tensor::transpose() const {
    ops::require(rank() >= 2, "transpose", "expected at least two dimensions, got {}", shape());
    return ops::transpose(*this, -2, -1);
}

}  // namespace heddle
