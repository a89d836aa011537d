#pragma once

#include "kernels/activation.h"
#include "layers/layer.h"

// Private to layers/.
namespace heddle::detail {

/// Whether to fold a norm into a convolution with so many weights and results (in elements). What is saved, a pass over
/// the results, stands against what is added: a pass over the weights, some small operations, and slower access to
/// results and residual, by tiles instead of sequentially. On one core of a Zen 4 (f32, 3 x 3 convolutions of 16 to 64
/// channels) results of 2^19 to 2^20 elements, which fit the caches, lost up to a third of a millisecond per
/// convolution; those of 2^21 gained half a millisecond to one. On a GPU nothing is known yet, and the small operations
/// are launches of their own: never.
inline bool folding_pays(DeviceKind device, std::int64_t weights, std::int64_t results) {
    return device != DeviceKind::cuda && weights + (1 << 20) < results;
}

/// activation(norm(convolution(x)) + residual) as one convolution (residual may be undefined). Returns an undefined
/// tensor unless `layer` is a Conv2D without activation and `next` a batch norm with fixed statistics, no gradient is
/// recorded, the type is not f16, and folding pays (fold.cpp). The result differs from that of the two layers by
/// rounding: of the scaled weights, and of the norm's shift, which is added after the sum and not before. Errors name
/// the convolution.
Tensor fold_batch_norm(LayerImpl& layer, const Tensor& x, LayerImpl& next, bool training,
                       kernels::FusedActivation activation, const Tensor& residual = Tensor());

}  // namespace heddle::detail
