#pragma once

#include "core/tensor.h"

namespace heddle::ops {

/// Over the last axis.
HEDDLE_API Tensor softmax(const Tensor& x);
HEDDLE_API Tensor log_softmax(const Tensor& x);

}  // namespace heddle::ops
