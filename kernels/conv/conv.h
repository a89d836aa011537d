#pragma once

#include <array>
#include <cstdint>
#include <tuple>

#include "kernels/activation.h"
#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

/// How the window moves over the picture; height before width.
struct Conv2dParams {
    std::array<std::int64_t, 2> stride{1, 1};
    std::array<std::int64_t, 2> dilation{1, 1};       ///< 1: no gaps between the taps
    std::array<std::int64_t, 4> padding{0, 0, 0, 0};  ///< zeros at top, bottom, left, right; may be asymmetric
    std::int64_t groups = 1;                          ///< C groups of one channel: depthwise

    /// The shape of y for x [N, H, W, C] and w [O, kh, kw, C / groups]; an extent is 0 where the kernel does not fit.
    /// Checks nothing.
    HEDDLE_API Shape output_shape(const Shape& x, const Shape& w) const;
    auto members() const { return std::tie(stride, dilation, padding, groups); }
};

/// y = activation(x * w + bias + residual), with the cross-correlation that deep learning calls convolution:
///   (x * w)[n, oh, ow, o] = sum over i, j, c of w[o, i, j, c] * x[n, oh * stride + i * dilation - top, ..., g * C
///   / groups + c]
/// where g = o / (O / groups). x: [N, H, W, C]; w: [O, kh, kw, C / groups]; bias: [O] or absent; y: `output_shape`;
/// residual: the shape of y, or absent; all of one floating dtype. C and O are multiples of `groups`. y may be the
/// residual, and overlaps no other input. ReLU lets NaN pass.
struct Conv2dForward {
    View x;
    View w;
    View bias;
    View residual = {};
    Conv2dParams params;
    FusedActivation activation = FusedActivation::none;
    View y;

    auto members() const { return std::tie(x, w, bias, residual, params, activation, y); }
};
HEDDLE_API KernelTable<Conv2dForward>& conv2d_forward();

/// dx of the convolution without bias and activation, from w and dy (shapes as above); dx is written whole, also where
/// no window reached.
struct Conv2dBackwardData {
    View w;
    View dy;
    Conv2dParams params;
    View dx;

    auto members() const { return std::tie(w, dy, params, dx); }
};
HEDDLE_API KernelTable<Conv2dBackwardData>& conv2d_backward_data();

/// dw and, unless absent, dbias of the convolution without activation, from x and dy (shapes as above). The sums run in
/// an order that is fixed for a given number of threads.
struct Conv2dBackwardWeights {
    View x;
    View dy;
    Conv2dParams params;
    View dw;
    View dbias;

    auto members() const { return std::tie(x, dy, params, dw, dbias); }
};
HEDDLE_API KernelTable<Conv2dBackwardWeights>& conv2d_backward_weights();

}  // namespace heddle::kernels
