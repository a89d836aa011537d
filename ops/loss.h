#pragma once

#include "core/tensor.h"

namespace heddle::ops {

enum class Reduction {
    mean,  ///< one number, over all rows or elements that count
    none   ///< a number for each row or element
};

struct CrossEntropyOptions {
    float label_smoothing = 0;
    bool from_logits = true;  ///< false: the input holds probabilities
    std::int64_t ignore_index = INT64_MIN;
    Reduction reduction = Reduction::mean;
};

/// Mean over rows (or each row's own [...], see `Reduction`) of -sum(target * log softmax(logits)). logits [...,
/// classes]; labels integers [...] or a floating distribution [..., classes]. Rows labelled `ignore_index` count for
/// nothing. A label that is no class is an `Error` that names the row on the CPU; on a device, where the check would
/// make the host wait, it makes the loss and the gradient of its row NaN (as in TensorFlow). `fit` and `evaluate` check
/// the labels of their data on the host.
HEDDLE_API Tensor cross_entropy(const Tensor& logits, const Tensor& labels, CrossEntropyOptions options = {});

/// Means over all elements, or each element's own; target of the same shape. Gradients flow to both.
HEDDLE_API Tensor mean_squared_error(const Tensor& prediction, const Tensor& target,
                                     Reduction reduction = Reduction::mean);
HEDDLE_API Tensor mean_absolute_error(const Tensor& prediction, const Tensor& target,
                                      Reduction reduction = Reduction::mean);
/// 0.5 d^2 up to |d| = delta, then delta (|d| - delta / 2).
HEDDLE_API Tensor huber(const Tensor& prediction, const Tensor& target, float delta = 1,
                        Reduction reduction = Reduction::mean);
HEDDLE_API Tensor binary_cross_entropy(const Tensor& prediction, const Tensor& target, bool from_logits = true,
                                       Reduction reduction = Reduction::mean);

}  // namespace heddle::ops
