#pragma once

#include "layers/layer.h"
#include "ops/detail/scope.h"
#include "ops/mask.h"

// Private to layers/: what containers call.
namespace heddle::detail {

/// `layer` and `next` as one, or an undefined tensor; errors name the layer.
inline Tensor forward_fused(const Layer& layer, const Tensor& x, const Layer& next, bool training) {
    const ops::LayerScope scope(layer->class_name(), layer->name());
    Tensor y = layer->forward_fused(x, next.impl(), training);
    if (y.defined() && layer->supports_masking() && next->supports_masking()) ops::set_mask(y, ops::mask_of(x));
    return y;
}

}  // namespace heddle::detail
