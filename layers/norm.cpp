#include "layers/norm.h"

#include "core/check.h"
#include "layers/detail/activation_impl.h"
#include "layers/detail/registry.h"
#include "ops/detail/scope.h"
#include "ops/norm.h"

namespace heddle {
namespace {

struct BatchNormalizationImpl final : LayerImpl {
    BatchNormalizationOptions options;
    Tensor weight, bias, running_mean, running_variance;

    explicit BatchNormalizationImpl(const BatchNormalizationOptions& o) : LayerImpl(o.name), options(o) {
        check(options.momentum >= 0 && options.momentum <= 1, "BatchNormalization: momentum {} is outside 0 .. 1",
              options.momentum);
        check(options.epsilon > 0, "BatchNormalization: epsilon must be positive, got {}", options.epsilon);
    }
    const char* class_name() const override { return "BatchNormalization"; }

    void build(const Shape& input) override {
        ops::require(input.rank() >= 1, "BatchNormalization", "expected inputs [batch, ..., channels], got scalars");
        const Shape channels{input.back()};
        if (options.scale) weight = add_parameter("weight", Tensor::ones(channels));
        if (options.center) bias = add_parameter("bias", Tensor::zeros(channels));
        running_mean = add_buffer("running_mean", Tensor::zeros(channels));
        running_variance = add_buffer("running_var", Tensor::ones(channels));
    }
    Tensor with(const Tensor& x, bool training, ops::FusedActivation activation, const Tensor& residual = Tensor()) {
        return ops::batch_norm(x, weight, bias, running_mean, running_variance, training && trainable(),
                               {.epsilon = options.epsilon,
                                .momentum = 1 - options.momentum,
                                .unbiased_running_variance = options.unbiased_running_variance,
                                .activation = activation},
                               residual);
    }
    Tensor forward(const Tensor& x, bool training) override { return with(x, training, ops::FusedActivation::none); }
    Tensor forward_fused(const Tensor& x, LayerImpl& next, bool training) override {
        return is_relu(next) ? with(x, training, ops::FusedActivation::relu) : Tensor();
    }
    Config config() const override {
        return Config()
            .set("momentum", options.momentum)
            .set("epsilon", options.epsilon)
            .set("center", options.center)
            .set("scale", options.scale)
            .set("unbiased_running_variance", options.unbiased_running_variance);
    }
};

struct LayerNormalizationImpl final : LayerImpl {
    LayerNormalizationOptions options;
    Tensor weight, bias;

    explicit LayerNormalizationImpl(const LayerNormalizationOptions& o) : LayerImpl(o.name), options(o) {
        check(options.epsilon > 0, "LayerNormalization: epsilon must be positive, got {}", options.epsilon);
    }
    const char* class_name() const override { return "LayerNormalization"; }

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
    makers["LayerNormalization"] = [](const Config& c) {
        return LayerNormalization({.epsilon = static_cast<float>(c.at("epsilon").number()),
                                   .center = c.at("center").boolean(),
                                   .scale = c.at("scale").boolean()});
    };
}

}  // namespace heddle
