#pragma once

#include "layers/layer.h"

namespace heddle {

struct BatchNormalizationOptions {
    float momentum = 0.99f;  ///< the fraction kept of the running statistics (PyTorch's momentum is 1 minus this)
    float epsilon = 1e-3f;
    bool center = true;                      ///< whether there is an offset ("bias")
    bool scale = true;                       ///< whether there is a scale ("weight")
    bool unbiased_running_variance = false;  ///< PyTorch keeps the unbiased variance, Keras the biased one
    std::string name = {};
};

struct FusedBatchNormOptions {
    Tensor residual = {};  ///< added before the activation
    bool relu = false;
    Layer pool = {};  ///< a MaxPooling2D behind it all
};

/// Batch normalisation over the last dimension (Ioffe and Szegedy 2015). Frozen, or not in training, it uses the
/// running statistics.
class HEDDLE_API BatchNormalization : public Layer {
  public:
    explicit BatchNormalization(const BatchNormalizationOptions& options = {});

    using Layer::operator();
    /// pool(relu(normalised + residual)): in one pass without a pool, the end of a residual block; and, where the
    /// batch's statistics are used, without a residual, the end of a stem.
    Tensor operator()(const Tensor& x, bool training, const FusedBatchNormOptions& fused) const;
    /// The same of `before(x)`. Where that is a Conv2D without an activation, the running statistics are used and no
    /// gradient is recorded, the norm is folded into the convolution's weights, and all is one pass: up to rounding the
    /// same, and not for f16, nor unless there are 2^20 results more than weights, below which it does not pay.
    /// `Sequential` and `Model` do it by themselves.
    Tensor after(const Layer& before, const Tensor& x, bool training, const FusedBatchNormOptions& fused = {}) const;
};

struct LayerNormalizationOptions {
    float epsilon = 1e-3f;  ///< PyTorch's is 1e-5
    bool center = true;     ///< whether there is an offset ("bias")
    bool scale = true;      ///< whether there is a scale ("weight")
    std::string name = {};
};

/// Layer normalisation over the last dimension (Ba, Kiros and Hinton 2016).
class HEDDLE_API LayerNormalization : public Layer {
  public:
    explicit LayerNormalization(const LayerNormalizationOptions& options = {});
};

}  // namespace heddle
