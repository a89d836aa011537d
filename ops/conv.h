#pragma once

#include <array>

#include "core/tensor.h"
#include "kernels/activation.h"
#include "kernels/conv/conv.h"

namespace heddle::ops {

using kernels::Conv2dParams;
using kernels::FusedActivation;

/// activation(x * w + bias + residual): x [N, H, W, C], w OHWI [O, kh, kw, C / groups], bias [O] or undefined; [N, H',
/// W', O], which is the shape of residual unless that is undefined.
HEDDLE_API Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias = Tensor(),
                         const Conv2dParams& params = {}, FusedActivation activation = FusedActivation::none,
                         const Tensor& residual = Tensor());

/// The transposed convolution: what `conv2d`'s gradient does with dy, as a function of x [N, H, W, I]. w [I, kh, kw, O
/// / groups], bias [O] or undefined; [N, H', W', O], where H' = (H - 1) stride + (kh - 1) dilation + 1 + output_padding
/// - top - bottom: padding is what is cut off, output_padding (below the stride) adds pixels at the bottom and right.
HEDDLE_API Tensor conv2d_transpose(const Tensor& x, const Tensor& w, const Tensor& bias = Tensor(),
                                   const Conv2dParams& params = {},
                                   std::array<std::int64_t, 2> output_padding = {0, 0});

}  // namespace heddle::ops
