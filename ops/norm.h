#pragma once

#include "core/tensor.h"
#include "kernels/activation.h"
#include "kernels/pool/pool.h"

namespace heddle::ops {

using kernels::FusedActivation;
using kernels::Pool2dParams;

struct BatchNormOptions {
    float epsilon = 1e-3f;
    float momentum = 0.01f;  ///< the fraction taken of the new batch's statistics (Keras's momentum is 1 minus this)
    bool unbiased_running_variance = false;  ///< true: PyTorch's; false: Keras's
    FusedActivation activation = FusedActivation::none;
};

/// Batch normalisation over the last axis: activation((x - mean) / sqrt(variance + epsilon) * scale + offset +
/// residual). scale, offset [C] and residual (the shape of x) may be undefined. In training the batch's statistics are
/// used, and move the running ones in place (where defined); otherwise the running ones are used, and gradients flow
/// past them.
HEDDLE_API Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, const Tensor& running_mean,
                             const Tensor& running_variance, bool training, const BatchNormOptions& options = {},
                             const Tensor& residual = Tensor());

/// max_pool2d(batch_norm(x)) in training, without the tensor in between, which would be as large as x: on a CPU 1.4
/// times as fast, the backward step twice. x: [N, H, W, C]. The results are those of the two operations one after the
/// other. So are the gradients, except where several elements of a window share the maximum after rounding: there the
/// one with the largest x counts (with a negative scale the smallest), and not the first.
HEDDLE_API Tensor batch_norm_max_pool2d(const Tensor& x, const Tensor& scale, const Tensor& offset,
                                        const Tensor& running_mean, const Tensor& running_variance,
                                        const BatchNormOptions& options = {}, const Pool2dParams& window = {});

/// Layer normalisation over the last axis: (x - mean) / sqrt(variance + epsilon) * scale + offset, with each row's mean
/// and variance. scale and offset [C] may be undefined.
HEDDLE_API Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, float epsilon = 1e-3f);

}  // namespace heddle::ops
