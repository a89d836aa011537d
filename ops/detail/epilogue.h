#pragma once

#include "kernels/activation.h"
#include "ops/autograd/node.h"

// Private to ops/: the backward step of activation(... + bias).
namespace heddle::ops {

/// The gradient before the activation, computed from dy in place where nobody else holds dy. If the bias gradient is
/// wanted, the same pass sums it into that of input `bias_index`. `y` is needed if there is an activation.
Tensor finish_epilogue(autograd::Gradients& gradients, int bias_index, const Tensor& y,
                       kernels::FusedActivation activation);

}  // namespace heddle::ops
