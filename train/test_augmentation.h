#pragma once

#include <string_view>

#include "core/export.h"

namespace heddle {

/// Predictions averaged over changed copies of a picture, in evaluation. `flip`: the picture and its mirror image;
/// `flip_shift`: that for half of the weight, and for a quarter each the pictures shifted by one pixel to the top left
/// and to the bottom right, mirrored too (their edge is a reflection).
enum class TestAugmentation { none, flip, flip_shift };

/// "none", "flip", "flip-shift".
HEDDLE_API std::string_view to_string(TestAugmentation augmentation);
/// Throws `Error` that lists the names.
HEDDLE_API TestAugmentation parse_test_augmentation(std::string_view name);

}  // namespace heddle
