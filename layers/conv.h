#pragma once

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
    Activation::Kind activation = Activation::linear;
    bool use_bias = true;
    Initializer kernel_initializer = Initializer::glorot_uniform;
    Initializer bias_initializer = Initializer::zeros;
    std::string name = {};
};

/// Convolution of pictures: [batch, height, width, channels] to [batch, height', width', filters]. weight: [filters,
/// kh, kw, channels / groups], on disk [filters, channels / groups, kh, kw].
class HEDDLE_API Conv2D : public Layer {
  public:
    Conv2D(std::int64_t filters, Size2 kernel_size, const Conv2DOptions& options = {});
};

}  // namespace heddle
