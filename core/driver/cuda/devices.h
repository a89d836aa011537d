#pragma once

#include <cuda_runtime_api.h>

#include <string>
#include <string_view>
#include <vector>

namespace heddle::cuda {

/// The GPUs that this build has kernels for, by CUDA's ordinals: cuda:0 is the first of them.
struct Devices {
    std::vector<int> ordinals = {};
    std::string why = {};  ///< where there is none: what is missing and what to do
};
/// Looked up once.
const Devices& devices();

/// "NVIDIA H100 80GB HBM3, compute capability 9.0, 79.2 GiB, driver 13.0, runtime 13.0".
std::string describe(int ordinal);

/// CUDA's ordinal of the GPU whose memory this is (as the driver allocates it, or managed); -1 for other memory.
int ordinal_of(const void* memory);

/// What `cudaGetDeviceCount` met, as one sentence that says what to do. `driver_version` is what libcuda.so.1 supports
/// (13010 for 13.1), 0 where there is no such library; `visible` the value of CUDA_VISIBLE_DEVICES, or null.
std::string why_no_device(cudaError_t error, int driver_version, const char* visible);

/// Whether code compiled for `architectures` (as in CMAKE_CUDA_ARCHITECTURES, separated by commas or semicolons) runs
/// on compute capability `major`.`minor`. "90a" runs on 9.0 alone, "80-real" on 8.x from 8.0 on, "80-virtual" and "80"
/// on 8.0 and everything later.
bool runs_on(std::string_view architectures, int major, int minor);

}  // namespace heddle::cuda
