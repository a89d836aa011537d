#pragma once

#include "core/random.h"
#include "core/tensor.h"

namespace heddle::ops {

/// New tensors from a generator: the same values on every device (normals: on one device kind). Each call takes one
/// offset.
HEDDLE_API Tensor random_uniform(const Shape& shape, double low = 0, double high = 1, TensorOptions options = {},
                                 Generator& generator = default_generator());
HEDDLE_API Tensor random_normal(const Shape& shape, double mean = 0, double deviation = 1, TensorOptions options = {},
                                Generator& generator = default_generator());
/// Normal, within two deviations of the mean.
HEDDLE_API Tensor random_truncated_normal(const Shape& shape, double mean = 0, double deviation = 1,
                                          TensorOptions options = {}, Generator& generator = default_generator());
/// 0 .. count - 1 in random order (i64).
HEDDLE_API Tensor random_permutation(std::int64_t count, Device device = {},
                                     Generator& generator = default_generator());

/// In training each element is dropped with probability `rate`, the others are scaled by 1 / (1 - rate); else x itself.
HEDDLE_API Tensor dropout(const Tensor& x, float rate, bool training, Generator& generator = default_generator());

}  // namespace heddle::ops
