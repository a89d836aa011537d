#pragma once

#include "layers/layer.h"

namespace heddle {

struct VGGOptions {
    std::int64_t depth = 16;  ///< 11, 13, 16 or 19 layers with weights in the ImageNet form
    bool batch_norm = false;
    std::int64_t classes = 10;
    /// Dense layers before the last one, each followed by ReLU and dropout: {4096, 4096} is the paper's and
    /// torchvision's (for pictures of 224 x 224); none is usual for CIFAR.
    std::vector<std::int64_t> hidden = {};
    float dropout = 0.5f;
    std::string name = {};
};

/// VGG (Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014,
/// arXiv:1409.1556): 3x3 convolutions, and a max pooling after each of five widths. Names as in torchvision:
/// features.0, ..., classifier.0, ...; weights of torchvision's load where `hidden` is {4096, 4096} and pictures are
/// 224 x 224 (its adaptive pooling does nothing there).
class HEDDLE_API VGG : public Layer {
  public:
    explicit VGG(const VGGOptions& options = {});
};

}  // namespace heddle
