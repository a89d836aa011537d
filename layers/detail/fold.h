#pragma once

#include "kernels/activation.h"
#include "layers/layer.h"

// Private to layers/.
namespace heddle::detail {

/// activation(norm(convolution(x)) + residual) as one convolution (residual may be undefined); an undefined tensor
/// where `layer` is no Conv2D without an activation or `next` no batch norm, where the norm takes the batch's
/// statistics, where a gradient is recorded, for f16, and where it would not pay (fold.cpp). Differs from the two
/// layers by rounding: of scaled weights, and of the norm's shift, which is added after the sum and not before. Errors
/// name the convolution.
Tensor fold_batch_norm(LayerImpl& layer, const Tensor& x, LayerImpl& next, bool training,
                       kernels::FusedActivation activation, const Tensor& residual = Tensor());

}  // namespace heddle::detail
