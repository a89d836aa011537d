#pragma once

#include <optional>

#include "layers/layer.h"
#include "layers/window.h"

namespace heddle {

struct Pooling2DOptions {
    std::optional<Size2> strides = {};  ///< default: the pool size
    Padding padding = Padding::valid;
    std::string name = {};
};

/// The maximum of each window.
class HEDDLE_API MaxPooling2D : public Layer {
  public:
    explicit MaxPooling2D(Size2 pool_size = 2, const Pooling2DOptions& options = {});
};

/// The mean of each window; padded pixels do not count.
class HEDDLE_API AveragePooling2D : public Layer {
  public:
    explicit AveragePooling2D(Size2 pool_size = 2, const Pooling2DOptions& options = {});
};

/// The mean over height and width: [batch, height, width, channels] to [batch, channels].
class HEDDLE_API GlobalAveragePooling2D : public Layer {
  public:
    explicit GlobalAveragePooling2D(const std::string& name = {});
};

/// The maximum over height and width, likewise.
class HEDDLE_API GlobalMaxPooling2D : public Layer {
  public:
    explicit GlobalMaxPooling2D(const std::string& name = {});
};

}  // namespace heddle
