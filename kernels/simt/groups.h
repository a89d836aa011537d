#pragma once

#include "kernels/simt/simt.h"

// Neighbouring lanes of a warp that work together, as many as a launch says: 1, 2, 4, ... 32.
HEDDLE_KERNELS_BEGIN

/// The smallest such number that is not below `count`, up to a warp.
inline int lanes_for(std::int64_t count) {
    int lanes = 1;
    while (lanes < warp_size && lanes < count) lanes *= 2;
    return lanes;
}

/// Every lane of a group gets the reduction over its `width` lanes. All lanes of the warp call it.
template <class A, class Op>
__device__ inline A reduce_group(A value, Op op, int width) {
    for (int offset = width / 2; offset > 0; offset /= 2) value = op(value, __shfl_xor_sync(all_lanes, value, offset));
    return value;
}

HEDDLE_KERNELS_END
