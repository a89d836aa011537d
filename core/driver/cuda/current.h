#pragma once

#include <cuda_runtime_api.h>

namespace heddle::cuda {

/// A GPU is current on this thread while it lives.
class Current {
  public:
    /// `ordinal` is CUDA's number of the GPU.
    explicit Current(int ordinal) : ordinal_(ordinal) {
        if (cudaGetDevice(&previous_) == cudaSuccess && previous_ != ordinal_) cudaSetDevice(ordinal_);
    }
    ~Current() {
        if (previous_ != ordinal_) cudaSetDevice(previous_);
    }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

  private:
    int ordinal_, previous_ = 0;
};

}  // namespace heddle::cuda
