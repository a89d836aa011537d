#include "ops/conv.h"

#include "ops/autograd/node.h"
#include "ops/detail/epilogue.h"
#include "ops/detail/operands.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;

void check_operands(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& p) {
    constexpr const char* op = "conv2d";
    require(x.defined() && x.rank() == 4, op, "expected pictures [batch, height, width, channels], got {}", x);
    require(w.defined() && w.rank() == 4, op, "expected weights [out, height, width, in / groups], got {}", w);
    require(p.groups >= 1 && w.size(0) % p.groups == 0, op, "{} output channels do not divide into {} groups",
            w.size(0), p.groups);
    require(x.size(3) == w.size(3) * p.groups, op, "expected input channels {}, got {} (input shape {})",
            w.size(3) * p.groups, x.size(3), x.shape());
    require_as_weights(op, x, w);
    require(!bias.defined() || (bias.shape() == Shape{w.size(0)} && bias.dtype() == w.dtype()), op,
            "expected a bias of {} {} values, got {}", w.size(0), w.dtype(), bias);
    for (std::size_t i = 0; i < 2; ++i)
        require(p.stride[i] >= 1 && p.dilation[i] >= 1, op, "stride and dilation must be at least 1");
    for (const std::int64_t padding : p.padding) require(padding >= 0, op, "negative padding {}", padding);
    for (int i = 0; i < 2; ++i) {
        const auto axis = static_cast<std::size_t>(i);
        const std::int64_t reach = (w.size(1 + i) - 1) * p.dilation[axis] + 1;
        const std::int64_t extent = x.size(1 + i) + p.padding[2 * axis] + p.padding[2 * axis + 1];
        require(extent >= reach, op, "the kernel reaches over {} pixels, the padded input has {} (input shape {})",
                reach, extent, x.shape());
    }
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& params,
              FusedActivation activation, const Tensor& residual) {
    check_operands(x, w, bias, params);
    const Shape shape = params.output_shape(x.shape(), w.shape());
    require(!residual.defined() ||
                (residual.shape() == shape && residual.dtype() == x.dtype() && residual.device() == x.device()),
            "conv2d", "expected a residual of shape {} {}, got {}", shape, x.dtype(), residual);
    Tensor y = Tensor::empty(shape, x.options());
    run(kernels::conv2d_forward(),
        {.x = view(x),
         .w = view(w),
         .bias = view(bias),
         .residual = view(residual),
         .params = params,
         .activation = activation,
         .y = view(y)},
        {&x, &w, &bias, &residual}, {&y});
    if (!autograd::wants_record({&x, &w, &bias, &residual})) return y;
    const bool masked = activation != FusedActivation::none;
    autograd::record(
        "conv2d", {&x, &w, &bias, &residual}, y,
        [x = Saved(x), w = Saved(w), y = Saved(masked ? y : Tensor()), params, activation](Gradients& g) {
            // With an activation, one pass masks dy and sums the bias gradient; without one, the kernel of the weight
            // gradient sums it.
            const bool masks = activation != FusedActivation::none,
                       bias_with_weights = !masks && g.wants(1) && g.wants(2);
            const Tensor dy = bias_with_weights ? g.dy() : finish_epilogue(g, 2, y.get(), activation);
            if (g.wants(1)) {
                Tensor dw = Tensor::empty(w.get().shape(), w.get().options()), dbias;
                if (bias_with_weights) dbias = Tensor::empty(Shape{dy.shape().back()}, dy.options());
                run(kernels::conv2d_backward_weights(),
                    {.x = view(x.get()), .dy = view(dy), .params = params, .dw = view(dw), .dbias = view(dbias)},
                    {&x.get(), &dy}, {&dw, &dbias});
                g.dx(1) = std::move(dw);
                if (bias_with_weights) g.dx(2) = std::move(dbias);
            }
            if (g.wants(0)) {
                Tensor dx = Tensor::empty(x.get().shape(), x.get().options());
                run(kernels::conv2d_backward_data(),
                    {.w = view(w.get()), .dy = view(dy), .params = params, .dx = view(dx)}, {&w.get(), &dy}, {&dx});
                g.dx(0) = std::move(dx);
            }
            if (g.wants(3)) g.dx(3) = dy;
        });
    return y;
}

namespace {

Shape transposed_shape(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& p,
                       const std::array<std::int64_t, 2>& output_padding) {
    constexpr const char* op = "conv2d_transpose";
    require(x.defined() && x.rank() == 4, op, "expected pictures [batch, height, width, channels], got {}", x);
    require(w.defined() && w.rank() == 4, op, "expected weights [in, height, width, out / groups], got {}", w);
    require(x.size(3) == w.size(0), op, "expected input channels {}, got {} (input shape {})", w.size(0), x.size(3),
            x.shape());
    require(p.groups >= 1 && w.size(0) % p.groups == 0, op, "{} input channels do not divide into {} groups", w.size(0),
            p.groups);
    require_as_weights(op, x, w);
    const std::int64_t filters = w.size(3) * p.groups;
    require(!bias.defined() || (bias.shape() == Shape{filters} && bias.dtype() == w.dtype()), op,
            "expected a bias of {} {} values, got {}", filters, w.dtype(), bias);
    for (const std::int64_t padding : p.padding) require(padding >= 0, op, "negative padding {}", padding);
    Shape shape{x.size(0)};
    for (int i = 0; i < 2; ++i) {
        const auto axis = static_cast<std::size_t>(i);
        require(p.stride[axis] >= 1 && p.dilation[axis] >= 1, op, "stride and dilation must be at least 1");
        require(output_padding[axis] >= 0 && output_padding[axis] < p.stride[axis], op,
                "output padding {} must be below the stride {}", output_padding[axis], p.stride[axis]);
        require(x.size(1 + i) >= 1, op, "the input has no pixels (input shape {})", x.shape());
        const std::int64_t extent = (x.size(1 + i) - 1) * p.stride[axis] + (w.size(1 + i) - 1) * p.dilation[axis] + 1 +
                                    output_padding[axis] - p.padding[2 * axis] - p.padding[2 * axis + 1];
        require(extent >= 1, op, "padding cuts off everything (input shape {})", x.shape());
        shape.push_back(extent);
    }
    shape.push_back(filters);
    return shape;
}

}  // namespace

Tensor conv2d_transpose(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& params,
                        std::array<std::int64_t, 2> output_padding) {
    Tensor y = Tensor::empty(transposed_shape(x, w, bias, params, output_padding), x.options());
    run(kernels::conv2d_backward_data(), {.w = view(w), .dy = view(x), .params = params, .dx = view(y)}, {&w, &x},
        {&y});
    if (autograd::wants_record({&x, &w}))
        autograd::record("conv2d_transpose", {&x, &w}, y, [x = Saved(x), w = Saved(w), params](Gradients& g) {
            if (g.wants(1)) {
                Tensor dw = Tensor::empty(w.get().shape(), w.get().options());
                run(kernels::conv2d_backward_weights(),
                    {.x = view(g.dy()), .dy = view(x.get()), .params = params, .dw = view(dw), .dbias = View()},
                    {&g.dy(), &x.get()}, {&dw});
                g.dx(1) = std::move(dw);
            }
            if (g.wants(0)) {
                Tensor dx = Tensor::empty(x.get().shape(), x.get().options());
                run(kernels::conv2d_forward(),
                    {.x = view(g.dy()), .w = view(w.get()), .bias = View(), .params = params, .y = view(dx)},
                    {&g.dy(), &w.get()}, {&dx});
                g.dx(0) = std::move(dx);
            }
        });
    return bias.defined() ? y + bias : y;
}

}  // namespace heddle::ops
