#pragma once

#include <cmath>
#include <cstdint>

#include "core/random.h"
#include "kernels/attention/attention.h"

// Which weights are dropped (`AttentionDropout` states the rule), for all implementations. Kernels are compiled twice,
// for `WeightDropout` and for `NoDropout`, so that what drops nothing costs nothing.
namespace heddle::kernels {

struct NoDropout {
    static constexpr bool drops = false;
    static constexpr float factor = 1;
};

class WeightDropout {
  public:
    static constexpr bool drops = true;
    float factor;  ///< of the weights that are kept

    WeightDropout(const AttentionDropout& dropout, std::int64_t queries)
        : seed_(dropout.state.seed), offset_(dropout.state.offset), device_offset_(dropout.state.device_offset) {
        const double below = steps(dropout.rate);
        factor = static_cast<float>(below < 0x1p16 ? 1 / (1 - below * 0x1p-16) : 0);
        limit_ = static_cast<std::uint32_t>(below * 0x1p16 - 1);
        head_rows_ = static_cast<std::uint32_t>((queries + 15) / 16 * 8);
        first_row_ = static_cast<std::uint32_t>(dropout.first_head) * head_rows_;
    }
    /// Whether any weight can be dropped.
    static bool wanted(const AttentionDropout& dropout) { return steps(dropout.rate) > 0; }

    /// Numbers of Philox blocks: of a query's row of them (head: b * heads + head), and of a key's column.
    HEDDLE_HD std::uint32_t row(std::uint32_t head, std::uint32_t query) const {
        return first_row_ + head * head_rows_ + query / 16 * 8 + query % 8;
    }
    HEDDLE_HD static std::uint32_t column(std::uint32_t key) { return key / 32 * 8 + key % 8; }

    std::uint64_t seed() const { return seed_; }
    /// Where the stream stands: read once, by the device.
    HEDDLE_HD std::uint64_t offset() const { return offset_ + (device_offset_ ? *device_offset_ : 0); }
    HEDDLE_HD Philox::Block bits(std::uint64_t offset, std::uint32_t row, std::uint32_t column) const {
        return Philox::block(seed_, offset, std::uint64_t{row} << 32 | column);
    }
    /// A half of a word decides: the upper one (of the queries with q % 16 >= 8) as it stands above the other, the
    /// lower one moved up, with zeros below.
    HEDDLE_HD bool keeps(std::uint32_t word, bool upper) const { return (upper ? word : word << 16) > limit_; }
    std::uint32_t limit() const { return limit_; }

  private:
    static double steps(float rate) { return std::round(double(rate) * 0x1p16); }

    std::uint64_t seed_, offset_;
    const std::uint64_t* device_offset_;
    std::uint32_t limit_;  ///< rate * 2^32 - 1
    std::uint32_t head_rows_, first_row_;
};

}  // namespace heddle::kernels
