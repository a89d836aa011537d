#pragma once

#include "core/dtype.h"

// Private to layers/ and train/: what a layer that makes floating tensors out of integers (Embedding) cannot see in its
// input.
namespace heddle::detail {

inline thread_local DType compute_type = DType::f32;

/// While it lives, layers on this thread compute in `dtype`: a compiled model's precision.
class ComputeType {
  public:
    explicit ComputeType(DType dtype) : before_(compute_type) { compute_type = dtype; }
    ~ComputeType() { compute_type = before_; }
    ComputeType(const ComputeType&) = delete;
    ComputeType& operator=(const ComputeType&) = delete;

  private:
    DType before_;
};

}  // namespace heddle::detail
