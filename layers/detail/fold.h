#pragma once

#include "kernels/activation.h"
#include "layers/layer.h"

// Private to layers/.
namespace heddle::detail {

/// activation(norm(convolution(x)) + residual) as one convolution (residual may be undefined). Returns an undefined
/// tensor unless `layer` is a Conv2D without activation and `next` a batch norm with fixed statistics, no gradient is
/// recorded, the type is not f16, and folding pays (fold.cpp). The result differs from that of the two layers by
/// rounding: of the scaled weights, and of the norm's shift, which is added after the sum and not before. Errors name
/// the convolution.
Tensor fold_batch_norm(LayerImpl& layer, const Tensor& x, LayerImpl& next, bool training,
                       kernels::FusedActivation activation, const Tensor& residual = Tensor());

}  // namespace heddle::detail
