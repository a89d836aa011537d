#include "layers/norm.h"

#include "layers/detail/batch_norm_impl.h"
#include "layers/detail/registry.h"

namespace heddle {
BatchNormalization::BatchNormalization(const BatchNormalizationOptions& options)
    : Layer(std::make_shared<BatchNormalizationImpl>(options)) {}

Tensor BatchNormalization::operator()(const Tensor& x, bool training, const FusedBatchNormOptions& fused) const {
    auto& own = static_cast<BatchNormalizationImpl&>(impl());
    if (!own.built()) build({x.shape().range(1, x.rank())});
    const ops::LayerScope scope(own.class_name(), own.name());
    return own.with(x, training, fused.relu ? ops::FusedActivation::relu : ops::FusedActivation::none, fused.residual);
}

void add_norm_layers(LayerMakers& makers) {
    makers["BatchNormalization"] = [](const Config& c) {
        return BatchNormalization({.momentum = static_cast<float>(c.at("momentum").number()),
                                   .epsilon = static_cast<float>(c.at("epsilon").number()),
                                   .center = c.at("center").boolean(),
                                   .scale = c.at("scale").boolean(),
                                   .unbiased_running_variance = c.at("unbiased_running_variance").boolean()});
    };
}

}  // namespace heddle
