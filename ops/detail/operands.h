#pragma once

#include "core/tensor.h"
#include "kernels/pool/pool.h"
#include "ops/detail/scope.h"

namespace heddle::ops {

/// The input has the weights' type and lies where they do.
inline void require_as_weights(const char* operation, const Tensor& x, const Tensor& w) {
    require(x.dtype() == w.dtype(), operation, "the input is {}, the weights are {}: convert it with to(DType::{})",
            x.dtype(), w.dtype(), w.dtype());
    require(x.device() == w.device(), operation, "the input is on {}, the weights are on {}: move one with to()",
            x.device(), w.device());
}

/// A vector over the last axis of x, of its wide dtype; may be undefined.
inline void check_vector(const char* what, const Tensor& vector, const Tensor& x, const char* op) {
    if (!vector.defined()) return;
    require(
        vector.shape() == Shape{x.shape().back()} && vector.dtype() == wide(x.dtype()) && vector.device() == x.device(),
        op, "expected a {} of {} {} values, got {} (input {})", what, x.shape().back(), wide(x.dtype()), vector, x);
}

/// Pictures, and a window that fits them.
inline void check_window(const char* op, const Tensor& x, const kernels::Pool2dParams& p) {
    require(x.defined() && x.rank() == 4, op, "expected pictures [batch, height, width, channels], got {}", x);
    require(is_floating(x.dtype()), op, "expected a floating tensor, got {}", x.dtype());
    for (std::size_t i = 0; i < 2; ++i) {
        require(p.kernel[i] >= 1 && p.stride[i] >= 1, op, "window and stride must be at least 1");
        require(p.padding[2 * i] >= 0 && p.padding[2 * i] < p.kernel[i] && p.padding[2 * i + 1] >= 0 &&
                    p.padding[2 * i + 1] < p.kernel[i],
                op, "padding must be smaller than the window");
        const std::int64_t extent = x.size(1 + static_cast<int>(i)) + p.padding[2 * i] + p.padding[2 * i + 1];
        require(extent >= p.kernel[i], op, "a window of {} over a padded extent of {} (input shape {})", p.kernel[i],
                extent, x.shape());
    }
}

}  // namespace heddle::ops
