#include "layers/norm.h"

#include "layers/detail/batch_norm_impl.h"
#include "layers/detail/fold.h"
#include "layers/detail/norm_pool.h"
#include "layers/detail/registry.h"

namespace heddle {
namespace {

struct LayerNormalizationImpl final : LayerImpl {
    LayerNormalizationOptions options;
    Tensor weight, bias;

    explicit LayerNormalizationImpl(const LayerNormalizationOptions& o) : LayerImpl(o.name), options(o) {
        check(options.epsilon > 0, "LayerNormalization: epsilon must be positive, got {}", options.epsilon);
    }
    const char* class_name() const override { return "LayerNormalization"; }
    bool supports_masking() const override { return true; }

    void build(const Shape& input) override {
        ops::require(input.rank() >= 1, "LayerNormalization", "expected inputs [batch, ..., features], got scalars");
        const Shape features{input.back()};
        if (options.scale) weight = add_parameter("weight", Tensor::ones(features));
        if (options.center) bias = add_parameter("bias", Tensor::zeros(features));
    }
    Tensor forward(const Tensor& x, bool) override { return ops::layer_norm(x, weight, bias, options.epsilon); }
    Config config() const override {
        return Config().set("epsilon", options.epsilon).set("center", options.center).set("scale", options.scale);
    }
};

}  // namespace

LayerNormalization::LayerNormalization(const LayerNormalizationOptions& options)
    : Layer(std::make_shared<LayerNormalizationImpl>(options)) {}

BatchNormalization::BatchNormalization(const BatchNormalizationOptions& options)
    : Layer(std::make_shared<BatchNormalizationImpl>(options)) {}

namespace {

ops::FusedActivation activation_of(const FusedBatchNormOptions& fused) {
    return fused.relu ? ops::FusedActivation::relu : ops::FusedActivation::none;
}

}  // namespace

Tensor BatchNormalization::operator()(const Tensor& x, bool training, const FusedBatchNormOptions& fused) const {
    auto& own = static_cast<BatchNormalizationImpl&>(impl());
    if (!own.built()) build({x.shape().range(1, x.rank())});
    if (fused.pool && !fused.residual.defined())
        if (Tensor y = detail::normalize_and_pool(own, x, fused.pool.impl(), activation_of(fused), training);
            y.defined())
            return y;
    Tensor y;
    {
        const ops::LayerScope scope(own.class_name(), own.name());
        y = own.with(x, training, activation_of(fused), fused.residual);
    }
    return fused.pool ? fused.pool(y, training) : y;
}

Tensor BatchNormalization::after(const Layer& before, const Tensor& x, bool training,
                                 const FusedBatchNormOptions& fused) const {
    check(static_cast<bool>(before), "BatchNormalization: after an empty layer");
    Tensor y = detail::fold_batch_norm(before.impl(), x, impl(), training, activation_of(fused), fused.residual);
    if (!y.defined()) return (*this)(before(x, training), training, fused);
    return fused.pool ? fused.pool(y, training) : y;
}

void add_norm_layers(LayerMakers& makers) {
    makers["BatchNormalization"] = [](const Config& c) {
        return BatchNormalization({.momentum = static_cast<float>(c.at("momentum").number()),
                                   .epsilon = static_cast<float>(c.at("epsilon").number()),
                                   .center = c.at("center").boolean(),
                                   .scale = c.at("scale").boolean(),
                                   .unbiased_running_variance = c.at("unbiased_running_variance").boolean()});
    };
    makers["LayerNormalization"] = [](const Config& c) {
        return LayerNormalization({.epsilon = static_cast<float>(c.at("epsilon").number()),
                                   .center = c.at("center").boolean(),
                                   .scale = c.at("scale").boolean()});
    };
}

}  // namespace heddle
