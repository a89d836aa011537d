#pragma once

#include "layers/layer.h"
#include "layers/window.h"

// Layers that change the height and width of pictures and have no weights.
namespace heddle {

enum class Interpolation {
    nearest,  ///< every pixel repeated
    bilinear  ///< between pixel centres, the border repeated (PyTorch's align_corners=False)
};

struct UpSampling2DOptions {
    Interpolation interpolation = Interpolation::nearest;
    std::string name = {};
};

/// Pictures enlarged by whole factors: [batch, height, width, channels] to [batch, height size, width size, channels].
class HEDDLE_API UpSampling2D : public Layer {
  public:
    explicit UpSampling2D(Size2 size = 2, const UpSampling2DOptions& options = {});
};

/// Pixels at the four sides: one number for all, two for top and bottom and for left and right, or four.
struct Border {
    std::int64_t top, bottom, left, right;
    constexpr Border(std::int64_t all) : Border(all, all, all, all) {}
    constexpr Border(std::int64_t height, std::int64_t width) : Border(height, height, width, width) {}
    constexpr Border(std::int64_t t, std::int64_t b, std::int64_t l, std::int64_t r)
        : top(t), bottom(b), left(l), right(r) {}
};

/// Adds pixels of zeros.
class HEDDLE_API ZeroPadding2D : public Layer {
  public:
    explicit ZeroPadding2D(Border padding = 1, const std::string& name = {});
};

/// Removes pixels at the four sides.
class HEDDLE_API Cropping2D : public Layer {
  public:
    explicit Cropping2D(Border cropping = 0, const std::string& name = {});
};

}  // namespace heddle
