#pragma once

#include "core/tensor.h"

namespace heddle::ops {

struct CrossEntropyOptions {
    float label_smoothing = 0;
    bool from_logits = true;  ///< false: the input holds probabilities
    std::int64_t ignore_index = INT64_MIN;
};

/// Mean over rows of -sum(target * log softmax(logits)). logits [..., classes]; labels integers [...] or a floating
/// distribution [..., classes]. Rows labelled `ignore_index` count for nothing. Labels out of range: `Error` that names
/// the row (checked on the CPU only; on devices the data loader checks).
HEDDLE_API Tensor cross_entropy(const Tensor& logits, const Tensor& labels, CrossEntropyOptions options = {});

/// Means over all elements; target of the same shape. Gradients flow to both.
HEDDLE_API Tensor mean_squared_error(const Tensor& prediction, const Tensor& target);
HEDDLE_API Tensor mean_absolute_error(const Tensor& prediction, const Tensor& target);
/// 0.5 d^2 up to |d| = delta, then delta (|d| - delta / 2).
HEDDLE_API Tensor huber(const Tensor& prediction, const Tensor& target, float delta = 1);
HEDDLE_API Tensor binary_cross_entropy(const Tensor& prediction, const Tensor& target, bool from_logits = true);

}  // namespace heddle::ops
