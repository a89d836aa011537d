#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"

// What augmentation draws: private to data/ and train/.
namespace heddle::detail {

/// The random choices for some pictures, one entry each, as `kernels::ImageBatch` takes them.
struct AugmentationDraws {
    std::vector<std::int32_t> shifts = {};  // pairs: rows, columns
    std::vector<std::uint8_t> flips = {};
    std::vector<std::int32_t> holes = {};  // pairs; of a cutout alone
};

/// The choices for pictures of `height` x `width` with these numbers. They depend only on (seed, epoch, number).
AugmentationDraws draw_augmentation(const Augmentation& augmentation, std::int64_t height, std::int64_t width,
                                    std::span<const std::int64_t> examples, const FillContext& context);

}  // namespace heddle::detail
