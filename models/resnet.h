#pragma once

#include "layers/layer.h"

namespace heddle {

/// How a network for pictures begins: `cifar`, a 3x3 convolution of stride 1; `imagenet`, a 7x7 convolution of stride 2
/// and a max pooling of stride 2, for pictures of some 224 x 224.
enum class Stem { cifar, imagenet };

struct ResNetOptions {
    /// Residual blocks of each stage; the first block of every stage but the first halves the picture.
    std::vector<std::int64_t> blocks = {3, 3, 3};
    /// Channels of each stage: of a basic block's convolutions, of a bottleneck's 3x3 convolution.
    std::vector<std::int64_t> widths = {16, 32, 64};
    std::int64_t classes = 10;
    /// Shortcuts where the shape changes: a 1x1 convolution (He et al.'s option B, torchvision's), or every other pixel
    /// with zeros for the new channels (option A: no parameters).
    bool projection = false;
    /// Blocks of 1x1, 3x3 and 1x1 convolutions, the last one to four times the width, instead of two 3x3 ones. As in
    /// torchvision ("ResNet v1.5") the 3x3 convolution has the stride.
    bool bottleneck = false;
    Stem stem = Stem::cifar;
    std::string name = {};
};

/// Residual network (He et al., "Deep residual learning for image recognition", 2015, arXiv:1512.03385). Names as in
/// torchvision: conv1, bn1, layer1.0.conv1, ..., layer2.0.downsample.0, fc. Batch norm and initial weights are
/// PyTorch's, set explicitly.
class HEDDLE_API ResNet : public Layer {
  public:
    explicit ResNet(const ResNetOptions& options = {});
};

/// ResNet of depth 6 n + 2 for CIFAR (20, 32, 44, 56, 110; section 4.2 of the paper): three stages of n blocks, 16, 32
/// and 64 channels, option A.
HEDDLE_API ResNet make_cifar_resnet(std::int64_t depth, std::int64_t classes = 10);
/// ResNet of depth 18, 34 (basic blocks), 50, 101 or 152 (bottlenecks): four stages, 64 to 512 channels, option B. With
/// the stem `imagenet` it is torchvision's.
HEDDLE_API ResNet make_resnet(std::int64_t depth, std::int64_t classes = 10, Stem stem = Stem::cifar);

}  // namespace heddle
