#pragma once

#include <array>
#include <cstdint>

#include "kernels/activation.h"
#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

/// The window of a pooling; height before width. A window as large as the picture pools globally.
struct Pool2dParams {
    std::array<std::int64_t, 2> kernel{2, 2};
    std::array<std::int64_t, 2> stride{2, 2};
    std::array<std::int64_t, 4> padding{0, 0, 0, 0};  ///< top, bottom, left, right; less than the kernel's extent

    /// The shape of y for x [N, H, W, C]; an extent is 0 where the window does not fit. Checks nothing.
    HEDDLE_API Shape output_shape(const Shape& x) const;
    /// The dtype of max pooling's index: u8 where kernel[0] * kernel[1] <= 255, else i32.
    DType index_dtype() const { return kernel[0] * kernel[1] <= 255 ? DType::u8 : DType::i32; }
    auto members() const { return std::tie(kernel, stride, padding); }
};

/// y = the maximum of each window of x, or max(0, maximum) where activation is relu: the same as pooling after ReLU.
/// x: [N, H, W, C]; y: `output_shape`, the same floating dtype. index: the shape of y, dtype `index_dtype`, or absent
/// (inference): the position i * kernel[1] + j in the window of its first maximum, before the activation. Padding never
/// wins. A NaN in a window is its maximum, as in PyTorch, and ReLU lets it pass. Every window holds at least one
/// element of x.
struct MaxPool2dForward {
    View x;
    Pool2dParams params;
    FusedActivation activation = FusedActivation::none;
    View y;
    View index;

    auto members() const { return std::tie(x, params, activation, y, index); }
};
HEDDLE_API KernelTable<MaxPool2dForward>& max_pool2d_forward();

/// dx: each dy goes to the element that `index` names; elements of overlapping windows add up, in a fixed order. y is
/// needed only where activation is relu, and lets dy through where y > 0. dx: [N, H, W, C], written whole.
struct MaxPool2dBackward {
    View dy;
    View y;
    View index;
    Pool2dParams params;
    FusedActivation activation = FusedActivation::none;
    View dx;

    auto members() const { return std::tie(dy, y, index, params, activation, dx); }
};
HEDDLE_API KernelTable<MaxPool2dBackward>& max_pool2d_backward();

/// y = the mean of each window of x: [N, H, W, C] to `output_shape`. `count_padding` divides by the window's area
/// (PyTorch's default), otherwise by the number of elements of x in it (Keras). Every window holds at least one.
struct AvgPool2dForward {
    View x;
    Pool2dParams params;
    bool count_padding = false;
    View y;

    auto members() const { return std::tie(x, params, count_padding, y); }
};
HEDDLE_API KernelTable<AvgPool2dForward>& avg_pool2d_forward();

/// dx from dy, with the forward's divisors; dx: [N, H, W, C], written whole, also where no window reached.
struct AvgPool2dBackward {
    View dy;
    Pool2dParams params;
    bool count_padding = false;
    View dx;

    auto members() const { return std::tie(dy, params, count_padding, dx); }
};
HEDDLE_API KernelTable<AvgPool2dBackward>& avg_pool2d_backward();

}  // namespace heddle::kernels
