#pragma once

#include "layers/layer.h"
#include "ops/detail/scope.h"

// Private to layers/: what containers call.
namespace heddle::detail {

/// `layer` and `next` as one, or an undefined tensor; errors name the layer.
inline Tensor forward_fused(const Layer& layer, const Tensor& x, const Layer& next, bool training) {
    const ops::LayerScope scope(layer->class_name(), layer->name());
    return layer->forward_fused(x, next.impl(), training);
}

}  // namespace heddle::detail
