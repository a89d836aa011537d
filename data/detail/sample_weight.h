#pragma once

#include <cstdint>

#include "core/tensor.h"

// Private to data/ and train/.
namespace heddle::detail {

/// Weights of `examples` examples as losses take them: f32, without last extents of 1. Throws `Error` that names `who`
/// for another number of rows and, on the CPU, for a weight that is not finite.
Tensor checked_sample_weight(const Tensor& weight, std::int64_t examples, const char* who);

}  // namespace heddle::detail
