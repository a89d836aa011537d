#pragma once

#include <heddle/heddle.h>

#include <cstdint>

namespace heddle::examples {

enum class SceneTarget {
    box,  ///< f32 [5]: the class, then the box's centre, width and height as fractions of the picture
    mask  ///< f32 [side, side, 1]: 1 where the figure is
};

/// Scenes with one piece of clothing: a Fashion-MNIST figure of random size, place and colour on a CIFAR picture, f32
/// [side, side, 3] in 0..1. A scene depends on (seed, epoch, index) alone, so every epoch shows new ones.
class Scenes : public Dataset {
  public:
    static constexpr std::int64_t side = 64;
    /// Raw pictures (8-bit, as `ImageDataset` holds them) of both kinds; `count` scenes an epoch.
    Scenes(const Dataset& figures, const Dataset& backgrounds, std::int64_t count, SceneTarget target,
           std::uint64_t seed);
};

}  // namespace heddle::examples
