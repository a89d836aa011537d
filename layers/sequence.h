#pragma once

#include <optional>

#include "layers/activation.h"
#include "layers/initializer.h"
#include "layers/layer.h"
#include "layers/window.h"

// Convolution and pooling of sequences [batch, time, features], computed as pictures of height 1.
namespace heddle {

struct Conv1DOptions {
    std::int64_t strides = 1;
    Padding padding = Padding::valid;  ///< or same, causal, pixels(0, 0, before, behind)
    std::int64_t dilation_rate = 1;
    std::int64_t groups = 1;
    ActivationKind activation = Activation::linear;
    bool use_bias = true;
    Initializer kernel_initializer = Initializer::glorot_uniform;
    Initializer bias_initializer = Initializer::zeros;
    Regularizer kernel_regularizer = {};
    Regularizer bias_regularizer = {};
    Constraint kernel_constraint = {};
    std::string name = {};
};

/// [batch, time, features] to [batch, time', filters]. weight: [filters, kernel, features / groups], on disk [filters,
/// features / groups, kernel].
class HEDDLE_API Conv1D : public Layer {
  public:
    Conv1D(std::int64_t filters, std::int64_t kernel_size, const Conv1DOptions& options = {});
};

struct Pooling1DOptions {
    std::optional<std::int64_t> strides = {};  ///< default: the pool size
    Padding padding = Padding::valid;
    std::string name = {};
};

/// The maximum of each window of time steps.
class HEDDLE_API MaxPooling1D : public Layer {
  public:
    explicit MaxPooling1D(std::int64_t pool_size = 2, const Pooling1DOptions& options = {});
};

/// The mean of each window; padded steps do not count.
class HEDDLE_API AveragePooling1D : public Layer {
  public:
    explicit AveragePooling1D(std::int64_t pool_size = 2, const Pooling1DOptions& options = {});
};

/// The mean over time: [batch, time, features] to [batch, features]. Over the steps that count, where the input carries
/// a mask (ops/mask.h); 0 where none does.
class HEDDLE_API GlobalAveragePooling1D : public Layer {
  public:
    explicit GlobalAveragePooling1D(const std::string& name = {});
};

/// The maximum over time, likewise.
class HEDDLE_API GlobalMaxPooling1D : public Layer {
  public:
    explicit GlobalMaxPooling1D(const std::string& name = {});
};

}  // namespace heddle
