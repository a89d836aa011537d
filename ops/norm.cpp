#include "ops/norm.h"

#include "kernels/layer_norm/layer_norm.h"
#include "kernels/norm/norm.h"
#include "ops/autograd/grad_mode.h"
#include "ops/autograd/node.h"
#include "ops/detail/operands.h"
#include "ops/detail/run.h"
#include "ops/elementwise.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;

/// What both modes share: inputs 0 .. 3 are x, scale, offset, residual.
void record_backward(const Tensor& x, const Tensor& scale, const Tensor& offset, const Tensor& residual, Tensor& y,
                     const Tensor& mean, const Tensor& inverse_deviation, FusedActivation activation, bool training) {
    if (!autograd::wants_record({&x, &scale, &offset, &residual})) return;
    autograd::record(
        "batch_norm", {&x, &scale, &offset, &residual}, y,
        [x = Saved(x), scale = Saved(scale), y = Saved(activation != FusedActivation::none ? y : Tensor()),
         mean = Saved(mean), inverse_deviation = Saved(inverse_deviation), activation, training](Gradients& g) {
            Tensor dy = std::move(g.dy());
            const TensorOptions options = dy.options(), vectors{wide(dy.dtype()), dy.device()};
            const Shape channels{dy.shape().back()};
            // One of the two big results may take dy's place.
            const bool reusable = autograd::unique(dy);
            Tensor dx, dresidual, dscale, doffset;
            if (g.wants(3)) dresidual = reusable ? dy : Tensor::empty(dy.shape(), options);
            if (g.wants(0)) dx = reusable && !g.wants(3) ? dy : Tensor::empty(dy.shape(), options);
            if (g.wants(1)) dscale = Tensor::empty(channels, vectors);
            if (g.wants(2)) doffset = Tensor::empty(channels, vectors);
            const Tensor& written = dx.defined()          ? dx
                                    : dresidual.defined() ? dresidual
                                    : dscale.defined()    ? dscale
                                                          : doffset;
            run(kernels::batch_norm_backward(),
                {.x = view(x.get()),
                 .y = view(y.get()),
                 .dy = view(dy),
                 .scale = view(scale.get()),
                 .mean = view(mean.get()),
                 .inverse_deviation = view(inverse_deviation.get()),
                 .activation = activation,
                 .training = training,
                 .dx = view(dx),
                 .dscale = view(dscale),
                 .doffset = view(doffset),
                 .dresidual = view(dresidual)},
                {&x.get(), &y.get(), &dy, &scale.get(), &mean.get(), &inverse_deviation.get()},
                {&written, &dx, &dscale, &doffset, &dresidual});
            if (g.wants(0)) g.dx(0) = std::move(dx);
            if (g.wants(1)) g.dx(1) = std::move(dscale);
            if (g.wants(2)) g.dx(2) = std::move(doffset);
            if (g.wants(3)) g.dx(3) = std::move(dresidual);
        });
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, const Tensor& running_mean,
                  const Tensor& running_variance, bool training, const BatchNormOptions& options,
                  const Tensor& residual) {
    constexpr const char* op = "batch_norm";
    require(x.defined() && x.rank() >= 2 && is_floating(x.dtype()), op,
            "expected a floating input [..., channels], got {}", x);
    check_vector("scale", scale, x, op);
    check_vector("offset", offset, x, op);
    check_vector("running mean", running_mean, x, op);
    check_vector("running variance", running_variance, x, op);
    require(!residual.defined() || (residual.shape() == x.shape() && residual.dtype() == x.dtype()), op,
            "expected a residual of shape {}, got {}", x.shape(), residual);
    Tensor y = Tensor::empty(x.shape(), x.options());
    if (training) {
        require(x.elements() > 0, op, "no statistics can be taken of an empty batch {}", x.shape());
        const Shape channels{x.shape().back()};
        const TensorOptions vectors{wide(x.dtype()), x.device()};
        const Tensor mean = Tensor::empty(channels, vectors), inverse_deviation = Tensor::empty(channels, vectors);
        run(kernels::batch_norm_forward(),
            {.x = view(x),
             .scale = view(scale),
             .offset = view(offset),
             .residual = view(residual),
             .activation = options.activation,
             .epsilon = options.epsilon,
             .y = view(y),
             .mean = view(mean),
             .inverse_deviation = view(inverse_deviation),
             .running_mean = view(running_mean),
             .running_variance = view(running_variance),
             .momentum = options.momentum,
             .unbiased_running_variance = options.unbiased_running_variance},
            {&x, &scale, &offset, &residual}, {&y, &mean, &inverse_deviation, &running_mean, &running_variance});
        for (const Tensor* running : {&running_mean, &running_variance})
            if (running->defined()) running->impl()->storage->bump_version();
        record_backward(x, scale, offset, residual, y, mean, inverse_deviation, options.activation, true);
        return y;
    }
    require(running_mean.defined() && running_variance.defined(), op, "inference needs running statistics");
    run(kernels::batch_norm_inference(),
        {.x = view(x),
         .scale = view(scale),
         .offset = view(offset),
         .residual = view(residual),
         .mean = view(running_mean),
         .variance = view(running_variance),
         .activation = options.activation,
         .epsilon = options.epsilon,
         .y = view(y)},
        {&x, &scale, &offset, &residual, &running_mean, &running_variance}, {&y});
    if (autograd::wants_record({&x, &scale, &offset, &residual})) {
        Tensor mean, inverse_deviation;
        {
            const NoGrad no_grad;
            mean = running_mean.clone();  // a later training step moves the running statistics in place
            inverse_deviation = unary(UnaryOp::rsqrt, running_variance + static_cast<double>(options.epsilon));
        }
        record_backward(x, scale, offset, residual, y, mean, inverse_deviation, options.activation, false);
    }
    return y;
}

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, float epsilon) {
    constexpr const char* op = "layer_norm";
    require(x.defined() && x.rank() >= 1 && is_floating(x.dtype()) && x.shape().back() >= 1, op,
            "expected a floating input [..., features], got {}", x);
    require(epsilon > 0, op, "epsilon must be positive, got {}", epsilon);
    check_vector("scale", scale, x, op);
    check_vector("offset", offset, x, op);
    const Shape rows{x.elements() / x.shape().back()};
    const TensorOptions vectors{wide(x.dtype()), x.device()};
    Tensor y = Tensor::empty(x.shape(), x.options());
    const Tensor mean = Tensor::empty(rows, vectors), inverse_deviation = Tensor::empty(rows, vectors);
    run(kernels::layer_norm_forward(),
        {.x = view(x),
         .scale = view(scale),
         .offset = view(offset),
         .epsilon = epsilon,
         .y = view(y),
         .mean = view(mean),
         .inverse_deviation = view(inverse_deviation)},
        {&x, &scale, &offset}, {&y, &mean, &inverse_deviation});
    if (!autograd::wants_record({&x, &scale, &offset})) return y;
    autograd::record("layer_norm", {&x, &scale, &offset}, y,
                     [x = Saved(x), scale = Saved(scale), mean = Saved(mean),
                      inverse_deviation = Saved(inverse_deviation)](Gradients& g) {
                         const Tensor& dy = g.dy();
                         const TensorOptions wide_options{wide(dy.dtype()), dy.device()};
                         const Shape features{dy.shape().back()};
                         Tensor dx, dscale, doffset;
                         if (g.wants(0)) dx = Tensor::empty(dy.shape(), dy.options());
                         if (g.wants(1)) dscale = Tensor::empty(features, wide_options);
                         if (g.wants(2)) doffset = Tensor::empty(features, wide_options);
                         const Tensor& written = dx.defined() ? dx : dscale.defined() ? dscale : doffset;
                         run(kernels::layer_norm_backward(),
                             {.x = view(x.get()),
                              .dy = view(dy),
                              .scale = view(scale.get()),
                              .mean = view(mean.get()),
                              .inverse_deviation = view(inverse_deviation.get()),
                              .dx = view(dx),
                              .dscale = view(dscale),
                              .doffset = view(doffset)},
                             {&x.get(), &dy, &scale.get(), &mean.get(), &inverse_deviation.get()},
                             {&written, &dx, &dscale, &doffset});
                         if (g.wants(0)) g.dx(0) = std::move(dx);
                         if (g.wants(1)) g.dx(1) = std::move(dscale);
                         if (g.wants(2)) g.dx(2) = std::move(doffset);
                     });
    return y;
}

}  // namespace heddle::ops
