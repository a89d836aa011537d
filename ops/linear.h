#pragma once

#include "core/tensor.h"
#include "kernels/activation.h"

namespace heddle::ops {

using kernels::FusedActivation;

struct MatmulOptions {
    bool transpose_a = false;
    bool transpose_b = false;
};

/// The matrix product over the last two dimensions; both operands have the same batch dimensions, or one has none.
HEDDLE_API Tensor matmul(const Tensor& a, const Tensor& b, MatmulOptions options = {});

/// activation(x wᵀ + bias): x [..., in], w [out, in], bias [out] or undefined; [..., out].
HEDDLE_API Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = Tensor(),
                         FusedActivation activation = FusedActivation::none);

}  // namespace heddle::ops
