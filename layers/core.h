#pragma once

#include "layers/activation.h"
#include "layers/initializer.h"
#include "layers/layer.h"

namespace heddle {

struct DenseOptions {
    ActivationKind activation = Activation::linear;
    bool use_bias = true;
    Initializer kernel_initializer = Initializer::glorot_uniform;
    Initializer bias_initializer = Initializer::zeros;
    Regularizer kernel_regularizer = {};
    Regularizer bias_regularizer = {};
    Constraint kernel_constraint = {};
    std::string name = {};
};

/// activation(x weightᵀ + bias) over the last dimension: [batch, ..., in] to [batch, ..., units]. weight: [units, in].
class HEDDLE_API Dense : public Layer {
  public:
    explicit Dense(std::int64_t units, const DenseOptions& options = {});
};

/// [batch, a, b, ...] to [batch, a b ...].
class HEDDLE_API Flatten : public Layer {
  public:
    explicit Flatten(const std::string& name = {});
};

/// [batch, ...] to [batch, shape...]; one extent may be -1.
class HEDDLE_API Reshape : public Layer {
  public:
    explicit Reshape(const Shape& shape, const std::string& name = {});
};

/// Drops elements with probability `rate` in training and scales the others by 1 / (1 - rate).
class HEDDLE_API Dropout : public Layer {
  public:
    explicit Dropout(float rate, const std::string& name = {});
};

/// Adds normal noise of mean 0 and this deviation in training.
class HEDDLE_API GaussianNoise : public Layer {
  public:
    explicit GaussianNoise(float stddev, const std::string& name = {});
};

/// The axes of a sample in another order: axis i of the result is axis `dims[i]`, counted from 1 as in Keras, where 0
/// is the batch. Permute({2, 1}) swaps the two axes behind the batch.
class HEDDLE_API Permute : public Layer {
  public:
    explicit Permute(const std::vector<int>& dims, const std::string& name = {});
};

/// The same vector `n` times: [batch, features] to [batch, n, features].
class HEDDLE_API RepeatVector : public Layer {
  public:
    explicit RepeatVector(std::int64_t n, const std::string& name = {});
};

/// x * scale + offset.
class HEDDLE_API Rescaling : public Layer {
  public:
    explicit Rescaling(double scale, double offset = 0, const std::string& name = {});
};

/// Declares the shape of one sample: first in a Sequential it lets `summary()` work before any data.
class HEDDLE_API InputLayer : public Layer {
  public:
    explicit InputLayer(const Shape& shape, const std::string& name = {});
};

/// Any function of one tensor. Cannot be saved as part of a whole model or cloned; it says so. Without `output_shape`
/// the shape is found by running the function on zeros.
class HEDDLE_API Lambda : public Layer {
  public:
    explicit Lambda(std::function<Tensor(const Tensor&)> function, std::function<Shape(const Shape&)> output_shape = {},
                    const std::string& name = {});
};

}  // namespace heddle
