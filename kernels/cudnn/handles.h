#pragma once

#include <cudnn.h>

#include <mutex>

#include "core/driver/cuda/undisturbed.h"
#include "kernels/table.h"

namespace heddle::cudnn {

/// 90 for 9.0.
int compute_capability(int ordinal);

// cuDNN's handles, held by one thread at a time: all that a handle serves. Both throw where cuDNN cannot start.

/// That of a GPU, by CUDA's ordinal, with which plans are made; it runs nothing.
class PlanningHandle {
  public:
    explicit PlanningHandle(int ordinal);
    cudnnHandle_t get() const { return handle_; }

  private:
    std::unique_lock<std::mutex> lock_;
    cudnnHandle_t handle_ = nullptr;
};

/// That of a stream, for one call. Made at the first use of the stream, which a warm-up step before a capture does. A
/// capture goes on undisturbed where a call loads a kernel.
class StreamHandle {
  public:
    explicit StreamHandle(const KernelContext& context);
    cudnnHandle_t get() const { return handle_; }

  private:
    std::unique_lock<std::mutex> lock_;
    cudnnHandle_t handle_ = nullptr;
    cuda::Undisturbed undisturbed_;
};

}  // namespace heddle::cudnn
