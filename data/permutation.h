#pragma once

#include <cstdint>
#include <vector>

#include "core/export.h"

namespace heddle {

/// The order of the examples in an epoch: a permutation of 0 .. count - 1 drawn from (seed, epoch); the same on every
/// machine.
HEDDLE_API std::vector<std::int64_t> epoch_permutation(std::int64_t count, std::uint64_t seed, std::uint64_t epoch);
/// That, or 0 .. count - 1 in order.
HEDDLE_API std::vector<std::int64_t> epoch_order(std::int64_t count, bool shuffle, std::uint64_t seed,
                                                 std::uint64_t epoch);

}  // namespace heddle
