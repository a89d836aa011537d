#include "ops/detail/norm_pool.h"

#include "kernels/detail/fusion.h"
#include "kernels/norm/norm_pool.h"
#include "ops/autograd/node.h"
#include "ops/detail/operands.h"
#include "ops/detail/run.h"

namespace heddle::ops {

using autograd::Gradients;
using autograd::Saved;

bool prefers_batch_norm_max_pool2d(const Tensor& x, const Tensor& scale, const Tensor& offset,
                                   const Tensor& running_mean, const Tensor& running_variance,
                                   const BatchNormOptions& options, const Pool2dParams& window) {
    // Results have no memory yet: supports() looks at their shapes and types, and at where and how aligned they lie.
    const View pictures = view(x), vector = view(running_mean);
    const kernels::BatchNormPoolForward fused{.x = pictures,
                                              .scale = view(scale),
                                              .offset = view(offset),
                                              .params = window,
                                              .activation = options.activation,
                                              .epsilon = options.epsilon,
                                              .y = View(pictures.data, window.output_shape(x.shape()), x.dtype()),
                                              .mean = vector,
                                              .inverse_deviation = vector,
                                              .running_mean = vector,
                                              .running_variance = view(running_variance),
                                              .momentum = options.momentum,
                                              .unbiased_running_variance = options.unbiased_running_variance};
    kernels::BatchNormForward norm = fused.norm();
    norm.y = pictures;
    return kernels::detail::prefers_fused(kernels::batch_norm_pool_forward(), fused, kernels::batch_norm_forward(),
                                          norm, x.device());
}

Tensor batch_norm_max_pool2d(const Tensor& x, const Tensor& scale, const Tensor& offset, const Tensor& running_mean,
                             const Tensor& running_variance, const BatchNormOptions& options,
                             const Pool2dParams& window) {
    constexpr const char* op = "batch_norm_max_pool2d";
    check_window(op, x, window);
    require(x.elements() > 0, op, "no statistics can be taken of an empty batch {}", x.shape());
    check_vector("scale", scale, x, op);
    check_vector("offset", offset, x, op);
    check_vector("running mean", running_mean, x, op);
    check_vector("running variance", running_variance, x, op);
    const Shape channels{x.size(3)};
    const TensorOptions vectors{wide(x.dtype()), x.device()};
    const bool recorded = autograd::wants_record({&x, &scale, &offset});
    Tensor y = Tensor::empty(window.output_shape(x.shape()), x.options()), picked, index;
    if (recorded) {
        picked = Tensor::empty(y.shape(), x.options());
        index = Tensor::empty(y.shape(), {window.index_dtype(), x.device()});
    }
    const Tensor mean = Tensor::empty(channels, vectors), inverse_deviation = Tensor::empty(channels, vectors);
    run(kernels::batch_norm_pool_forward(),
        {.x = view(x),
         .scale = view(scale),
         .offset = view(offset),
         .params = window,
         .activation = options.activation,
         .epsilon = options.epsilon,
         .y = view(y),
         .picked = view(picked),
         .index = view(index),
         .mean = view(mean),
         .inverse_deviation = view(inverse_deviation),
         .running_mean = view(running_mean),
         .running_variance = view(running_variance),
         .momentum = options.momentum,
         .unbiased_running_variance = options.unbiased_running_variance},
        {&x, &scale, &offset}, {&y, &picked, &index, &mean, &inverse_deviation, &running_mean, &running_variance});
    for (const Tensor* running : {&running_mean, &running_variance})
        if (running->defined()) running->impl()->storage->bump_version();
    if (!recorded) return y;
    const bool masked = options.activation != FusedActivation::none;
    autograd::record(op, {&x, &scale, &offset}, y,
                     [x = Saved(x), picked = Saved(picked), index = Saved(index), y = Saved(masked ? y : Tensor()),
                      scale = Saved(scale), mean = Saved(mean), inverse_deviation = Saved(inverse_deviation), window,
                      activation = options.activation](Gradients& g) {
                         const Tensor& dy = g.dy();
                         const TensorOptions wide_options{wide(dy.dtype()), dy.device()};
                         const Shape features{dy.size(3)};
                         Tensor dx, dscale, doffset;
                         if (g.wants(0)) dx = Tensor::empty(x.get().shape(), dy.options());
                         if (g.wants(1)) dscale = Tensor::empty(features, wide_options);
                         if (g.wants(2)) doffset = Tensor::empty(features, wide_options);
                         const Tensor& written = dx.defined() ? dx : dscale.defined() ? dscale : doffset;
                         run(kernels::batch_norm_pool_backward(),
                             {.x = view(x.get()),
                              .picked = view(picked.get()),
                              .index = view(index.get()),
                              .y = view(y.get()),
                              .dy = view(dy),
                              .scale = view(scale.get()),
                              .mean = view(mean.get()),
                              .inverse_deviation = view(inverse_deviation.get()),
                              .params = window,
                              .activation = activation,
                              .dx = view(dx),
                              .dscale = view(dscale),
                              .doffset = view(doffset)},
                             {&x.get(), &picked.get(), &index.get(), &y.get(), &dy, &scale.get(), &mean.get(),
                              &inverse_deviation.get()},
                             {&written, &dx, &dscale, &doffset});
                         if (g.wants(0)) g.dx(0) = std::move(dx);
                         if (g.wants(1)) g.dx(1) = std::move(dscale);
                         if (g.wants(2)) g.dx(2) = std::move(doffset);
                     });
    return y;
}

}  // namespace heddle::ops
