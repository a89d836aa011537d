#pragma once

#include "core/tensor.h"
#include "kernels/activation.h"
#include "kernels/pool/pool.h"

namespace heddle::ops {

using kernels::FusedActivation;
using kernels::Pool2dParams;

/// The maximum of each window of x [N, H, W, C]; with relu, max(0, maximum): the same as pooling behind ReLU, one pass
/// less.
HEDDLE_API Tensor max_pool2d(const Tensor& x, const Pool2dParams& params = {},
                             FusedActivation activation = FusedActivation::none);
/// The mean of each window. `count_padding` (PyTorch's default) counts padded pixels as zeros; without it (Keras) they
/// do not count.
HEDDLE_API Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params = {}, bool count_padding = false);

/// Over the whole picture: [N, H, W, C] to [N, C].
HEDDLE_API Tensor global_average_pool2d(const Tensor& x);
HEDDLE_API Tensor global_max_pool2d(const Tensor& x);

}  // namespace heddle::ops
