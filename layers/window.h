#pragma once

#include <array>
#include <cstdint>

#include "core/config.h"
#include "core/export.h"
#include "core/shape.h"

namespace heddle {

/// Height and width; one number gives both.
struct Size2 {
    std::int64_t height = 1;
    std::int64_t width = 1;
    constexpr Size2(std::int64_t both) : height(both), width(both) {}
    constexpr Size2(std::int64_t h, std::int64_t w) : height(h), width(w) {}
    bool operator==(const Size2&) const = default;
};

/// How a window treats the border. `valid`: only whole windows. `same`: as many outputs as input / stride, rounded up;
/// where the padding is odd, the extra pixel is at the bottom and right (TensorFlow's rule, which differs from a
/// symmetric padding of 1 for stride 2). `causal`: all padding in front (of sequences: no output depends on later
/// steps). `pixels`: given, as in PyTorch.
class HEDDLE_API Padding {
  public:
    enum Kind { valid, same, given, causal };
    constexpr Padding(Kind kind) : kind_(kind) {}
    /// The same number at all four sides.
    static constexpr Padding pixels(std::int64_t all) { return Padding({all, all, all, all}); }
    static constexpr Padding pixels(std::int64_t top, std::int64_t bottom, std::int64_t left, std::int64_t right) {
        return Padding({top, bottom, left, right});
    }

    Kind kind() const { return kind_; }
    /// Top, bottom, left, right for a picture of this height and width.
    std::array<std::int64_t, 4> resolve(std::int64_t height, std::int64_t width, Size2 kernel, Size2 stride,
                                        Size2 dilation) const;

    Config to_config() const;
    static Padding from_config(const Config& config);

  private:
    explicit constexpr Padding(std::array<std::int64_t, 4> pixels) : kind_(given), pixels_(pixels) {}
    Kind kind_;
    std::array<std::int64_t, 4> pixels_{};
};

HEDDLE_API Config to_config(Size2 size);
HEDDLE_API Size2 size_from_config(const Config& config);

}  // namespace heddle
