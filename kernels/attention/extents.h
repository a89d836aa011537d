#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/attention/attention.h"

namespace heddle::kernels {

/// The sizes of a problem, and where its rows stand.
struct AttentionExtents {
    std::int64_t batch, queries, keys, heads, size, value_size;
    bool causal;

    template <class Args>
    explicit AttentionExtents(const Args& args)
        : batch(args.query.shape[0]),
          queries(args.query.shape[1]),
          keys(args.key.shape[1]),
          heads(args.query.shape[2]),
          size(args.query.shape[3]),
          value_size(args.value.shape[3]),
          causal(args.causal) {}

    /// How many of the first keys a query may see, masks aside.
    std::int64_t seen_by(std::int64_t query) const {
        return causal ? std::clamp<std::int64_t>(query + keys - queries + 1, 0, keys) : keys;
    }
};

}  // namespace heddle::kernels
