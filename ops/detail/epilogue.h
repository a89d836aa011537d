#pragma once

#include "kernels/activation.h"
#include "ops/autograd/node.h"

// Private to ops/: the backward step of activation(... + bias).
namespace heddle::ops {

/// dy behind the activation, in place where nobody else holds dy; the bias gradient goes to input `bias_index` in the
/// same pass where it is wanted. `y` is needed for an activation.
Tensor finish_epilogue(autograd::Gradients& gradients, int bias_index, const Tensor& y,
                       kernels::FusedActivation activation);

}  // namespace heddle::ops
