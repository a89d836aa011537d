#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/tensor.h"
#include "data/picture.h"

namespace heddle {

/// How pictures become a model's input: x = (pixel * scale - mean) / deviation, per channel. A saved model carries it,
/// so that prediction needs nothing but the model file.
struct HEDDLE_API Preprocessing {
    Shape input_shape = {};             ///< [height, width, channels]
    double scale = 1.0 / 255;           ///< of the u8 pixels
    std::vector<float> mean = {};       ///< of scaled pixels, one per channel; empty: 0
    std::vector<float> deviation = {};  ///< likewise; empty: 1
    std::vector<std::string> class_names = {};

    Config to_config() const;
    /// Throws `Error` for a kind other than "image" or lists that do not fit the shape.
    static Preprocessing from_config(const Config& config);

    /// f32 [N, height, width, channels]; pictures are converted to the channels and resized where they differ.
    Tensor apply(std::span<const Picture> pictures) const;
    Tensor apply(const Picture& picture) const { return apply(std::span<const Picture>(&picture, 1)); }
    bool operator==(const Preprocessing&) const = default;
};

}  // namespace heddle
