#include "data/permutation.h"

#include <numeric>
#include <utility>

#include "core/check.h"
#include "core/random.h"

namespace heddle {
namespace {

constexpr std::uint64_t order_key = 0x6F72646572ull;  // keeps these bits apart from others of the same seed

}  // namespace

std::vector<std::int64_t> epoch_permutation(std::int64_t count, std::uint64_t seed, std::uint64_t epoch) {
    check(count >= 0, "epoch_permutation: expected a count of 0 or more, got {}", count);
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    // Fisher and Yates; 64 bits modulo a bound below 2^40 are even to one part in 2^24.
    for (std::int64_t i = count - 1; i > 0; --i) {
        const Philox::Block block = Philox::block(seed ^ order_key, epoch, static_cast<std::uint64_t>(i));
        const std::uint64_t bits = std::uint64_t{block.word[1]} << 32 | block.word[0];
        const std::uint64_t j = bits % (static_cast<std::uint64_t>(i) + 1);
        std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
    }
    return order;
}

std::vector<std::int64_t> epoch_order(std::int64_t count, bool shuffle, std::uint64_t seed, std::uint64_t epoch) {
    if (shuffle) return epoch_permutation(count, seed, epoch);
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    return order;
}

}  // namespace heddle
