#pragma once

#include <algorithm>

#include "kernels/attention/dropout.h"

// keep(q, k) for the CPU's loops: rows of factors, 0 or 1 / (1 - rate), in the scratch memory.
namespace heddle::kernels {

/// Keys are counted in these: the columns of 8 Philox blocks.
inline constexpr std::int64_t kept_keys = 32;
inline std::int64_t whole_kept_keys(std::int64_t keys) { return (keys + kept_keys - 1) / kept_keys * kept_keys; }

/// keep(q, k) of two queries that share Philox blocks, those of `row`, for `keys` keys from `first_key` on; both are
/// multiples of `kept_keys`.
void keep_factors(const WeightDropout& dropout, std::uint64_t offset, std::uint32_t row, std::int64_t first_key,
                  std::int64_t keys, float* lower, float* upper);

/// Calls body(i, factors) for the queries `first` + i, 0 <= i < `queries`, of a head: in an order of its own, with a
/// row of keep(q, k) for `keys` keys from `first_key` on. `first` is a multiple of 16, `first_key` of `kept_keys`;
/// `scratch`: 2 * whole_kept_keys(keys). Without dropout: factors are null, and the order is that of the queries.
template <class Body>
void for_each_kept_row(const AttentionDropout& args, std::int64_t all_queries, std::int64_t head, std::int64_t first,
                       std::int64_t queries, std::int64_t first_key, std::int64_t keys, float* scratch,
                       const Body& body) {
    if (!WeightDropout::wanted(args)) {
        for (std::int64_t i = 0; i < queries; ++i) body(i, static_cast<const float*>(nullptr));
        return;
    }
    const WeightDropout dropout(args, all_queries);
    const std::uint64_t offset = dropout.offset();
    const std::int64_t count = whole_kept_keys(keys);
    for (std::int64_t i = 0; i < queries; i = i % 16 == 7 ? i + 9 : i + 1) {
        const std::uint32_t row = dropout.row(static_cast<std::uint32_t>(head), static_cast<std::uint32_t>(first + i));
        keep_factors(dropout, offset, row, first_key, count, scratch, scratch + count);
        body(i, static_cast<const float*>(scratch));
        if (i + 8 < queries) body(i + 8, static_cast<const float*>(scratch + count));
    }
}

}  // namespace heddle::kernels
