#pragma once

#include <vector>

#include "core/check.h"
#include "layers/containers.h"
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

/// Builds layers that follow each other, and returns the shape of what the last one gives.
inline Shape build_in_turn(const std::vector<Layer>& layers, Shape shape) {
    for (const Layer& layer : layers) {
        layer.build({shape});
        shape = layer->output_shape(shape);
    }
    return shape;
}

/// The stages of a residual network as children `layer1`, ... of `network`: `blocks[i]` blocks of `widths[i]` channels,
/// each from `make_block(width, stride)`; the first block of every stage but the first has the stride 2.
template <class MakeBlock>
std::vector<Layer> make_stages(const char* network, const std::vector<std::int64_t>& blocks,
                               const std::vector<std::int64_t>& widths, const MakeBlock& make_block) {
    check(!blocks.empty() && blocks.size() == widths.size(), "{}: {} numbers of blocks for {} widths", network,
          blocks.size(), widths.size());
    std::vector<Layer> stages;
    for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
        check(blocks[stage] >= 1, "{}: stage {} has no blocks", network, stage);
        std::vector<Layer> chain;
        for (std::int64_t block = 0; block < blocks[stage]; ++block)
            chain.push_back(make_block(widths[stage], stage > 0 && block == 0 ? 2 : 1));
        stages.push_back(make_chain(chain));
    }
    return stages;
}

}  // namespace heddle::detail
