#include "data/detail/augmentation.h"

#include "core/random.h"

namespace heddle::detail {
namespace {

constexpr std::uint64_t augmentation_key = 0x6175676D656E74ull;  // keeps these bits apart from others of the same seed

std::uint8_t flipped(const Augmentation& augmentation, std::int64_t example, const FillContext& context,
                     const Philox::Block& bits) {
    if (!augmentation.flip) return 0;
    if (!augmentation.alternating_flip) return static_cast<std::uint8_t>(bits.word[2] >> 31);
    const std::uint32_t first =
        Philox::block(context.seed ^ augmentation_key, 0, static_cast<std::uint64_t>(example)).word[2] >> 31;
    return static_cast<std::uint8_t>(first ^ (context.epoch & 1));
}

}  // namespace

AugmentationDraws draw_augmentation(const Augmentation& augmentation, std::int64_t height, std::int64_t width,
                                    std::span<const std::int64_t> examples, const FillContext& context) {
    AugmentationDraws draws;
    draws.shifts.reserve(2 * examples.size());
    draws.flips.reserve(examples.size());
    const auto range = static_cast<std::uint64_t>(2 * augmentation.pad + 1);
    const auto shift = [&](std::uint32_t bits) {
        return static_cast<std::int32_t>((bits * range) >> 32) - augmentation.pad;
    };
    const auto rows = static_cast<std::uint32_t>(height), columns = static_cast<std::uint32_t>(width);
    for (const std::int64_t example : examples) {
        const Philox::Block bits =
            Philox::block(context.seed ^ augmentation_key, context.epoch, static_cast<std::uint64_t>(example));
        draws.shifts.push_back(shift(bits.word[0]));
        draws.shifts.push_back(shift(bits.word[1]));
        draws.flips.push_back(flipped(augmentation, example, context, bits));
        if (augmentation.cutout == 0) continue;
        // The centre, from 16 bits each.
        const int half = augmentation.cutout / 2;
        draws.holes.push_back(static_cast<std::int32_t>(((bits.word[3] >> 16) * rows) >> 16) - half);
        draws.holes.push_back(static_cast<std::int32_t>(((bits.word[3] & 0xffff) * columns) >> 16) - half);
    }
    return draws;
}

}  // namespace heddle::detail
