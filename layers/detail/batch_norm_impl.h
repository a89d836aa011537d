#pragma once

#include <optional>

#include "core/check.h"
#include "layers/detail/activation_impl.h"
#include "layers/norm.h"
#include "ops/detail/scope.h"
#include "ops/norm.h"

// Private: what recalibration needs to see of batch norm.
namespace heddle {

/// Mean and biased variance of all rows of several batches, from the batches' own (Chan, Golub and LeVeque 1983).
struct PooledStatistics {
    Tensor mean, variance;  // [channels]
    double rows = 0;

    void add(const Tensor& batch_mean, const Tensor& batch_variance, double batch_rows) {
        const double share = batch_rows / (rows + batch_rows);
        if (rows == 0) {
            mean = batch_mean;
            variance = batch_variance;
        } else {
            const Tensor difference = batch_mean - mean;
            mean = mean + difference * share;
            variance =
                variance * (1 - share) + batch_variance * share + difference * difference * (share * (1 - share));
        }
        rows += batch_rows;
    }
};

struct BatchNormalizationImpl final : LayerImpl {
    BatchNormalizationOptions options;
    Tensor weight, bias, running_mean, running_variance;
    /// Set while the layer is recalibrated (train/recalibration.h): it normalises by the batch, in training or not, and
    /// adds the batch to this instead of moving the running statistics.
    std::optional<PooledStatistics> pooled;

    explicit BatchNormalizationImpl(const BatchNormalizationOptions& o) : LayerImpl(o.name), options(o) {
        check(options.momentum >= 0 && options.momentum <= 1, "BatchNormalization: momentum {} is outside 0 .. 1",
              options.momentum);
        check(options.epsilon > 0, "BatchNormalization: epsilon must be positive, got {}", options.epsilon);
    }
    const char* class_name() const override { return "BatchNormalization"; }
    bool supports_masking() const override { return true; }

    void build(const Shape& input) override {
        ops::require(input.rank() >= 1, "BatchNormalization", "expected inputs [batch, ..., channels], got scalars");
        const Shape channels{input.back()};
        if (options.scale) weight = add_parameter("weight", Tensor::ones(channels));
        if (options.center) bias = add_parameter("bias", Tensor::zeros(channels));
        running_mean = add_buffer("running_mean", Tensor::zeros(channels));
        running_variance = add_buffer("running_var", Tensor::ones(channels));
    }
    bool takes_batch_statistics(bool training) const { return (pooled || training) && trainable(); }
    ops::BatchNormOptions kernel_options(ops::FusedActivation activation) const {
        return {.epsilon = options.epsilon,
                .momentum = 1 - options.momentum,
                .unbiased_running_variance = options.unbiased_running_variance,
                .activation = activation};
    }
    Tensor with(const Tensor& x, bool training, ops::FusedActivation activation, const Tensor& residual = Tensor()) {
        if (pooled && trainable()) return pool(x, activation, residual);
        return ops::batch_norm(x, weight, bias, running_mean, running_variance, takes_batch_statistics(training),
                               kernel_options(activation), residual);
    }
    Tensor pool(const Tensor& x, ops::FusedActivation activation, const Tensor& residual) {
        const Tensor mean = Tensor::zeros(running_mean.shape(), running_mean.options());
        const Tensor variance = Tensor::zeros(running_mean.shape(), running_mean.options());
        const Tensor y =
            ops::batch_norm(x, weight, bias, mean, variance, true,
                            {.epsilon = options.epsilon, .momentum = 1, .activation = activation}, residual);
        pooled->add(mean, variance, static_cast<double>(x.elements() / mean.elements()));
        return y;
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

}  // namespace heddle
