#pragma once

#include "layers/layer.h"

namespace heddle {

struct PreActResNetOptions {
    /// Residual blocks of each stage; the first block of every stage but the first halves the picture.
    std::vector<std::int64_t> blocks = {2, 2, 2, 2};
    /// Channels of each stage.
    std::vector<std::int64_t> widths = {64, 128, 256, 512};
    /// Channels of the first convolution.
    std::int64_t stem_width = 64;
    std::int64_t classes = 10;
    /// Between the convolutions of a block (Zagoruyko and Komodakis use 0.3 for long runs).
    float dropout = 0;
    std::string name = {};
};

/// Residual network whose batch norms and ReLUs come before the convolutions (He et al., "Identity mappings in deep
/// residual networks", 2016, arXiv:1603.05027), in the CIFAR form. Where the shape changes, the shortcut is a 1x1
/// convolution of the activated input. Names: conv1, layer1.0.bn1, layer1.0.conv1, ..., layer2.0.shortcut, bn, fc.
class HEDDLE_API PreActResNet : public Layer {
  public:
    explicit PreActResNet(const PreActResNetOptions& options = {});
};

/// PreAct ResNet-18: 11.2 M parameters.
HEDDLE_API PreActResNet make_preact_resnet18(std::int64_t classes = 10);
/// Wide ResNet of depth 6 n + 4 (Zagoruyko and Komodakis, 2016, arXiv:1605.07146): three stages of n blocks of 16, 32
/// and 64 times `widen` channels. WRN-28-10 has 36.5 M parameters.
HEDDLE_API PreActResNet make_wide_resnet(std::int64_t depth, std::int64_t widen, std::int64_t classes = 10);

}  // namespace heddle
