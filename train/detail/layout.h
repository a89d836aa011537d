#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/tensor.h"
#include "layers/layer.h"

// Private to train/: weights on disk have PyTorch's layouts.
namespace heddle::detail {

/// A weight that is [rows, spatial, channels] here and [rows, channels, spatial] on disk: a convolution's (OHWI here,
/// OIHW there), and what stands behind a Flatten of pictures (NHWC here, NCHW there).
struct DiskLayout {
    std::int64_t rows = 1, spatial = 1, channels = 1;
    Shape shape = {};  ///< on disk
};

/// By name, of the weights that differ. Found by following the shapes through the layers; inside a layer that is
/// neither a Sequential nor a functional model its children are taken to run in the order they were added.
std::map<std::string, DiskLayout> disk_layouts(const Layer& layer);

/// Host copies.
Tensor to_disk(const Tensor& weight, const DiskLayout& layout);
Tensor from_disk(const Tensor& stored, const DiskLayout& layout, const Shape& shape);

}  // namespace heddle::detail
