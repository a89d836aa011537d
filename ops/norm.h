#pragma once

#include "core/tensor.h"
#include "kernels/activation.h"

namespace heddle::ops {

using kernels::FusedActivation;

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

/// Layer normalisation over the last axis: (x - mean) / sqrt(variance + epsilon) * scale + offset, with each row's mean
/// and variance. scale and offset [C] may be undefined.
HEDDLE_API Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, float epsilon = 1e-3f);

}  // namespace heddle::ops
