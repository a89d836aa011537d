#pragma once

#include "core/tensor.h"
#include "ops/detail/scope.h"

namespace heddle::ops {

/// The input has the weights' type and lies where they do.
inline void require_as_weights(const char* operation, const Tensor& x, const Tensor& w) {
    require(x.dtype() == w.dtype(), operation, "the input is {}, the weights are {}: convert it with to(DType::{})",
            x.dtype(), w.dtype(), w.dtype());
    require(x.device() == w.device(), operation, "the input is on {}, the weights are on {}: move one with to()",
            x.device(), w.device());
}

}  // namespace heddle::ops
