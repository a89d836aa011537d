#pragma once

#include "kernels/strides.h"

// How a reduction is walked: neighbouring axes that are both kept, or both reduced, count as one.
namespace heddle::kernels {

/// Some of x's merged axes, walked as one long one.
struct Walk {
    int rank = 0;
    std::array<std::int64_t, Shape::max_rank> extents{};
    Strides strides{};
    std::int64_t count = 1;

    void add(std::int64_t extent, std::int64_t stride) {
        extents[static_cast<std::size_t>(rank)] = extent;
        strides[static_cast<std::size_t>(rank++)] = stride;
        count *= extent;
    }
    std::int64_t offset(std::int64_t linear) const {
        if (rank == 1) return linear * strides[0];
        std::int64_t result = 0;
        for (int axis = rank - 1; axis >= 0; --axis) {
            const std::int64_t extent = extents[static_cast<std::size_t>(axis)];
            result += linear % extent * strides[static_cast<std::size_t>(axis)];
            linear /= extent;
        }
        return result;
    }
};

struct ReducePlan {
    std::int64_t inner = 1;      ///< the extent of the last merged axis, which lies dense in memory
    bool inner_reduced = false;  ///< whether that axis is reduced or kept
    Walk kept, reduced;          ///< the others
};

/// `axes`: the mask of reduced axes; axes of extent 1 do not matter.
inline ReducePlan plan_reduction(const Shape& shape, std::uint32_t axes) {
    Walk merged;
    std::array<bool, Shape::max_rank> is_reduced{};
    const Strides strides = dense_strides(shape);
    for (int axis = 0; axis < shape.rank(); ++axis) {
        const auto a = static_cast<std::size_t>(axis), last = static_cast<std::size_t>(merged.rank - 1);
        const bool reduced = axes >> axis & 1;
        if (shape[axis] == 1) continue;
        if (merged.rank > 0 && is_reduced[last] == reduced) {
            merged.extents[last] *= shape[axis];
            merged.strides[last] = strides[a];
        } else {
            is_reduced[static_cast<std::size_t>(merged.rank)] = reduced;
            merged.add(shape[axis], strides[a]);
        }
    }
    ReducePlan plan;
    if (merged.rank == 0) return plan;
    const auto last = static_cast<std::size_t>(merged.rank - 1);
    plan.inner = merged.extents[last];
    plan.inner_reduced = is_reduced[last];
    for (std::size_t axis = 0; axis < last; ++axis)
        (is_reduced[axis] ? plan.reduced : plan.kept).add(merged.extents[axis], merged.strides[axis]);
    return plan;
}

}  // namespace heddle::kernels
