#pragma once

#include "ops/norm.h"

// Private to layers/ and ops/.
namespace heddle::ops {

/// Whether `batch_norm_max_pool2d` is what to run for these tensors, rather than the norm and then the pooling
/// (kernels/detail/fusion.h). All are defined but scale and offset.
bool prefers_batch_norm_max_pool2d(const Tensor& x, const Tensor& scale, const Tensor& offset,
                                   const Tensor& running_mean, const Tensor& running_variance,
                                   const BatchNormOptions& options, const Pool2dParams& window);

}  // namespace heddle::ops
