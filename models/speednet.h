#pragma once

#include "data/dataset.h"
#include "layers/layer.h"

namespace heddle {

struct SpeedNetOptions {
    std::vector<std::int64_t> widths = {64, 256, 256};
    std::int64_t classes = 10;
    std::string name = {};
};

/// The small net of the 94 % records on CIFAR-10 (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024,
/// arXiv:2404.00498): a whitening 2x2 convolution and GELU; three groups of [3x3 convolution, max pooling, batch norm,
/// GELU, 3x3 convolution, batch norm, GELU]; max pooling over 3x3; a linear head without bias, divided by its inputs.
/// For pictures of 32 x 32. Batch norms have no scale; convolutions begin as the identity of their first channels.
/// Names: whiten, layers.0.conv1, layers.0.norm1, ..., head. `whiten` belongs to it before training.
class HEDDLE_API SpeedNet : public Layer {
  public:
    explicit SpeedNet(const SpeedNetOptions& options = {});
};

/// Sets the frozen filters of a model's `WhiteningConv2D` (the layer itself or anywhere inside) from the first `count`
/// examples, without augmentation: the eigenvectors of their patches' uncentred covariance over sqrt(eigenvalue +
/// 5e-4), and the negatives of those. Throws `Error` where there is no such layer.
HEDDLE_API void whiten(const Layer& model, const Dataset& pictures, std::int64_t count = 5000);

}  // namespace heddle
