#pragma once

#include "core/dtype.h"

// Private to layers/ and train/: the type to compute in, for layers that cannot tell from their input, as Embedding,
// which takes integers.
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
