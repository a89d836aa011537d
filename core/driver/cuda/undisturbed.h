#pragma once

#include <cuda_runtime_api.h>

namespace heddle::cuda {

/// While it lives, this thread may make calls that a capture would refuse although they do not disturb it: memory for
/// a graph is allocated while the graph is being captured.
class Undisturbed {
  public:
    Undisturbed() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    ~Undisturbed() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    Undisturbed(const Undisturbed&) = delete;
    Undisturbed& operator=(const Undisturbed&) = delete;

  private:
    cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace heddle::cuda
