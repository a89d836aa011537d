#pragma once

#include "kernels/activation.h"
#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

/// c = activation(alpha * op(a) op(b) + bias [+ c]), where op transposes the last two axes or does nothing. All
/// operands have the same floating dtype and at least two axes. Any extent may be 0; with k = 0 the product is 0.
struct Matmul {
    View a;  ///< [batch..., m, k], or [batch..., k, m] if transposed
    View b;  ///< [batch..., k, n], or [batch..., n, k] if transposed; a and b have the same batch axes, or one has none
    View bias = {};  ///< [n]; absent: 0
    bool transpose_a = false;
    bool transpose_b = false;
    FusedActivation activation = FusedActivation::none;
    float alpha = 1;
    bool accumulate = false;  ///< whether c's old values are added, before the activation
    View c;                   ///< [batch..., m, n]; overlaps no input

    auto members() const { return std::tie(a, b, bias, transpose_a, transpose_b, activation, alpha, accumulate, c); }
};
HEDDLE_API KernelTable<Matmul>& matmul();

/// What remains of the backward step of activation(... + bias): masked = dy where y > 0, else 0 (relu), or dy (none),
/// and dbias = the sum of that over all axes but the last.
struct BiasGradient {
    View dy;      ///< [..., n]
    View y = {};  ///< the shape of dy: the forward result; needed for relu only
    FusedActivation activation = FusedActivation::none;
    View masked = {};  ///< the shape of dy; absent: not wanted; may be dy
    View dbias = {};   ///< [n]; absent: not wanted
};
HEDDLE_API KernelTable<BiasGradient>& bias_gradient();

}  // namespace heddle::kernels
