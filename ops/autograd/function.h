#pragma once

#include <functional>
#include <vector>

#include "core/tensor.h"

namespace heddle::ops {

/// A differentiable function of the user's own: `forward` computes y from the inputs (nothing inside is recorded),
/// `backward` gets the inputs, y and dy and returns one gradient per input (undefined ones count as zero).
HEDDLE_API Tensor custom(const char* name, const std::vector<Tensor>& inputs,
                         const std::function<Tensor(const std::vector<Tensor>& inputs)>& forward,
                         const std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs, const Tensor& y,
                                                                 const Tensor& dy)>& backward);

}  // namespace heddle::ops
