#pragma once

#include "layers/conv.h"
#include "layers/core.h"
#include "layers/norm.h"

// What the residual networks are made of, with PyTorch's values set explicitly.
namespace heddle::detail {

/// No bias, torchvision's initial weights, and a symmetric padding as in PyTorch: Keras' "same" would pad a stride of 2
/// at the bottom and right only.
inline Conv2D resnet_convolution(std::int64_t filters, std::int64_t kernel, std::int64_t stride) {
    return Conv2D(filters, kernel,
                  {.strides = stride,
                   .padding = Padding::pixels(kernel / 2),
                   .use_bias = false,
                   .kernel_initializer = Initializer::he_normal_fan_out});
}

inline BatchNormalization torch_batch_norm() {
    return BatchNormalization({.momentum = 0.9f, .epsilon = 1e-5f, .unbiased_running_variance = true});
}

inline Dense torch_linear(std::int64_t units, Activation::Kind activation = Activation::linear) {
    return Dense(units, {.activation = activation,
                         .kernel_initializer = Initializer::fan_in_uniform,
                         .bias_initializer = Initializer::fan_in_uniform});
}

}  // namespace heddle::detail
