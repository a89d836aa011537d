#pragma once

#include <cudnn.h>

#include <mutex>

#include "kernels/table.h"

namespace heddle::cudnn {

/// For making plans for a GPU, by CUDA's ordinal; it runs nothing. Throws where cuDNN cannot start there.
cudnnHandle_t planning_handle(int ordinal);
/// 90 for 9.0.
int compute_capability(int ordinal);

/// cuDNN's handle of a stream, held for one call: a handle serves one thread at a time. Made at the first use of the
/// stream, which a warm-up step before a capture does. Throws where cuDNN cannot start.
class StreamHandle {
  public:
    explicit StreamHandle(const KernelContext& context);
    cudnnHandle_t get() const { return handle_; }

  private:
    std::unique_lock<std::mutex> lock_;
    cudnnHandle_t handle_ = nullptr;
};

}  // namespace heddle::cudnn
