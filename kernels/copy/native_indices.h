#pragma once

#include "kernels/native_map.h"

HEDDLE_KERNELS_BEGIN

/// A tensor of indices, i32 or i64.
class Indices {
  public:
    explicit Indices(const View& view) : data_(view.data), wide_(view.dtype == DType::i64) {}

    __device__ std::int64_t operator[](std::int64_t i) const {
        return wide_ ? static_cast<const std::int64_t*>(data_)[i] : static_cast<const std::int32_t*>(data_)[i];
    }

  private:
    const void* data_;
    bool wide_;
};

HEDDLE_KERNELS_END
