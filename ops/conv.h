#pragma once

#include "core/tensor.h"
#include "kernels/activation.h"
#include "kernels/conv/conv.h"

namespace heddle::ops {

using kernels::Conv2dParams;
using kernels::FusedActivation;

/// activation(x * w + bias): x [N, H, W, C], w OHWI [O, kh, kw, C / groups], bias [O] or undefined; [N, H', W', O].
HEDDLE_API Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias = Tensor(),
                         const Conv2dParams& params = {}, FusedActivation activation = FusedActivation::none);

}  // namespace heddle::ops
