#pragma once

#include "layers/detail/activation_impl.h"
#include "layers/detail/fold.h"
#include "layers/detail/norm_pool.h"
#include "layers/layer.h"
#include "ops/detail/scope.h"
#include "ops/mask.h"

// Private to layers/: what containers call.
namespace heddle::detail {

/// The result of a fused form, and how many layers it covers (0: there is none).
struct Fused {
    Tensor y = {};
    std::size_t layers = 0;
};

/// Runs `layer` and `next` as one, together with the layer `behind` them (may be null) if that fuses, too. Errors name
/// the layer.
inline Fused forward_fused(const Layer& layer, const Tensor& x, const Layer& next, const Layer* behind, bool training) {
    using kernels::FusedActivation;
    const bool relu = behind && is_relu(behind->impl());
    if (Tensor y = fold_batch_norm(layer.impl(), x, next.impl(), training,
                                   relu ? FusedActivation::relu : FusedActivation::none);
        y.defined())
        return {std::move(y), relu ? std::size_t{3} : std::size_t{2}};
    if (Tensor y = normalize_and_pool(layer.impl(), x, next.impl(), FusedActivation::none, training); y.defined())
        return {std::move(y), 2};
    if (behind && is_relu(next.impl()))
        if (Tensor y = normalize_and_pool(layer.impl(), x, behind->impl(), FusedActivation::relu, training);
            y.defined())
            return {std::move(y), 3};
    const ops::LayerScope scope(layer->class_name(), layer->name());
    Tensor y = layer->forward_fused(x, next.impl(), training);
    if (!y.defined()) return {};
    if (layer->supports_masking() && next->supports_masking()) ops::set_mask(y, ops::mask_of(x));
    return {std::move(y), 2};
}

}  // namespace heddle::detail
