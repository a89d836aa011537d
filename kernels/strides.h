#pragma once

#include <array>
#include <cstdint>

#include "core/shape.h"

// Index arithmetic of dense row-major operands, in elements.
namespace heddle::kernels {

using Strides = std::array<std::int64_t, Shape::max_rank>;
using Index = std::array<std::int64_t, Shape::max_rank>;

inline Strides dense_strides(const Shape& shape) {
    Strides strides{};
    std::int64_t stride = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        strides[static_cast<std::size_t>(axis)] = stride;
        stride *= shape[axis];
    }
    return strides;
}

/// The strides with which an operand of shape `from` is read at the indices of shape `to` that it broadcasts to: 0
/// along the axes where it is repeated. Shapes are aligned at their last axes.
inline Strides broadcast_strides(const Shape& from, const Shape& to) {
    const Strides dense = dense_strides(from);
    Strides strides{};
    const int missing = to.rank() - from.rank();
    for (int axis = 0; axis < from.rank(); ++axis)
        strides[static_cast<std::size_t>(axis + missing)] = from[axis] == 1 ? 0 : dense[static_cast<std::size_t>(axis)];
    return strides;
}

/// The index of the element that stands at place `linear` of a dense tensor.
inline Index unravel(std::int64_t linear, const Shape& shape) {
    Index index{};
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        index[static_cast<std::size_t>(axis)] = linear % shape[axis];
        linear /= shape[axis];
    }
    return index;
}

inline std::int64_t offset_of(const Index& index, const Strides& strides) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) offset += index[axis] * strides[axis];
    return offset;
}

}  // namespace heddle::kernels
