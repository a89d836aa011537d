#pragma once

#include "kernels/rnn/rnn.h"

namespace heddle::kernels {

/// The extents of either operation, and its steps in the order in which the forward step takes them.
struct RnnExtents {
    std::int64_t batch, time, inputs, units;
    std::int64_t width;  ///< of all gates together
    bool reverse;
    const std::int32_t* lengths;  ///< null: every step counts

    template <class Args>
    explicit RnnExtents(const Args& args)
        : batch(args.x.shape[0]),
          time(args.x.shape[1]),
          inputs(args.x.shape[2]),
          units(args.weight_hidden.shape[1]),
          width(args.weight_hidden.shape[0]),
          reverse(args.reverse),
          lengths(args.lengths.template as<const std::int32_t>()) {}

    /// The time of the s-th step.
    std::int64_t step(std::int64_t s) const { return reverse ? time - 1 - s : s; }
    /// Whether it counts for a row; where `lengths` can be read.
    bool counts(std::int64_t row, std::int64_t t) const { return !lengths || t < lengths[row]; }
};

}  // namespace heddle::kernels
