#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"

// Private to data/.
namespace heddle::detail {

/// to[i] = from[rows[i]] along the leading dimension, on the CPU; `to` has the shape and dtype for it.
void copy_rows(const Tensor& from, std::span<const std::int64_t> rows, const Tensor& to);

}  // namespace heddle::detail
