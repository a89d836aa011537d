#pragma once

#include <initializer_list>
#include <utility>

#include "core/tensor.h"

namespace heddle::ops {

/// Over `axes` (negative ones count from the end; none: over all). The reduced axes are dropped, or kept as 1. Sums of
/// integers and booleans are i64 (as in PyTorch); the mean takes floating tensors.
HEDDLE_API Tensor sum(const Tensor& x, std::initializer_list<int> axes = {}, bool keep_dims = false);
HEDDLE_API Tensor mean(const Tensor& x, std::initializer_list<int> axes = {}, bool keep_dims = false);
/// The mean of the squared distances from the mean (divided by the number of elements, not by one less), and its root,
/// whose gradient is 0 where it is 0 (as PyTorch's). In two passes. Floating.
HEDDLE_API Tensor variance(const Tensor& x, std::initializer_list<int> axes = {}, bool keep_dims = false);
HEDDLE_API Tensor std(const Tensor& x, std::initializer_list<int> axes = {}, bool keep_dims = false);
/// Differentiable: equal extremes share the gradient evenly (as PyTorch's amax).
HEDDLE_API Tensor max(const Tensor& x, std::initializer_list<int> axes = {}, bool keep_dims = false);
HEDDLE_API Tensor min(const Tensor& x, std::initializer_list<int> axes = {}, bool keep_dims = false);

/// i64 places of the largest or smallest element along `axis`; the first of equal ones.
HEDDLE_API Tensor argmax(const Tensor& x, int axis = -1, bool keep_dims = false);
HEDDLE_API Tensor argmin(const Tensor& x, int axis = -1, bool keep_dims = false);

/// The k largest along the last axis, sorted, and their i64 places. Differentiable in the values.
HEDDLE_API std::pair<Tensor, Tensor> topk(const Tensor& x, std::int64_t k);

}  // namespace heddle::ops
