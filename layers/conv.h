#pragma once

#include <optional>

#include "layers/activation.h"
#include "layers/initializer.h"
#include "layers/layer.h"
#include "layers/window.h"

namespace heddle {

struct Conv2DOptions {
    Size2 strides = 1;
    Padding padding = Padding::valid;
    Size2 dilation_rate = 1;
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

struct FusedConv2DOptions {
    Tensor residual = {};  ///< added before the activation
};

/// Convolution of pictures: [batch, height, width, channels] to [batch, height', width', filters]. weight: [filters,
/// kh, kw, channels / groups], on disk [filters, channels / groups, kh, kw].
class HEDDLE_API Conv2D : public Layer {
  public:
    Conv2D(std::int64_t filters, Size2 kernel_size, const Conv2DOptions& options = {});

    using Layer::operator();
    /// activation(convolution + bias + residual) in one pass: the end of a block whose norms come first.
    Tensor operator()(const Tensor& x, bool training, const FusedConv2DOptions& fused) const;
};

struct Conv2DTransposeOptions {
    Size2 strides = 1;
    /// `same`: extents are multiplied by the strides; `valid`: every pixel that a window reaches; `pixels`: the result
    /// of `valid` with that many pixels cut off at each side (PyTorch's `padding`).
    Padding padding = Padding::valid;
    /// More pixels at the bottom and right, fewer than the strides. Default: what `padding` says above; PyTorch's is 0.
    std::optional<Size2> output_padding = {};
    Size2 dilation_rate = 1;
    ActivationKind activation = Activation::linear;
    bool use_bias = true;
    Initializer kernel_initializer = Initializer::glorot_uniform;
    Initializer bias_initializer = Initializer::zeros;
    Regularizer kernel_regularizer = {};
    Regularizer bias_regularizer = {};
    std::string name = {};
};

/// Transposed convolution ("deconvolution"), which enlarges pictures: [batch, height, width, channels] to [batch,
/// height', width', filters]. weight: [channels, kh, kw, filters], on disk [channels, filters, kh, kw].
class HEDDLE_API Conv2DTranspose : public Layer {
  public:
    Conv2DTranspose(std::int64_t filters, Size2 kernel_size, const Conv2DTransposeOptions& options = {});
};

}  // namespace heddle
