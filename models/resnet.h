#pragma once

#include "layers/layer.h"

namespace heddle {

struct ResNetOptions {
    /// Residual blocks of each stage; the first block of every stage but the first halves the picture.
    std::vector<std::int64_t> blocks = {3, 3, 3};
    /// Channels of each stage.
    std::vector<std::int64_t> widths = {16, 32, 64};
    std::int64_t classes = 10;
    /// Shortcuts where the shape changes: a 1x1 convolution (He et al.'s option B, torchvision's), or every other pixel
    /// with zeros for the new channels (option A: no parameters).
    bool projection = false;
    std::string name = {};
};

/// Residual network of basic blocks in the CIFAR form: a 3x3 stem of stride 1 and no pooling before the stages (He et
/// al., "Deep residual learning for image recognition", 2015, section 4.2). Names as in torchvision: conv1, bn1,
/// layer1.0.conv1, ..., layer2.0.downsample.0, fc. Batch norm and initial weights are PyTorch's, set explicitly.
class HEDDLE_API ResNet : public Layer {
  public:
    explicit ResNet(const ResNetOptions& options = {});
};

/// ResNet of depth 6 n + 2 for CIFAR (20, 32, 44, 56, 110): three stages of n blocks, 16, 32 and 64 channels, option A.
HEDDLE_API ResNet make_cifar_resnet(std::int64_t depth, std::int64_t classes = 10);
/// ResNet-18 with a CIFAR stem: four stages of two blocks, 64 to 512 channels, option B.
HEDDLE_API ResNet make_resnet18(std::int64_t classes = 10);

}  // namespace heddle
