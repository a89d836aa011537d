#pragma once

#include "core/device_library.h"

// The implementations of libheddle_cuda that call NVIDIA's libraries, one function per file: it adds the file's
// implementations to the tables. kernels/plugins/cuda.cpp calls them.
namespace heddle::kernels::cuda {

void register_cublaslt_matmul();
void register_cub_reduce();
void register_cub_top_k();
void register_thrust_gather();
void register_thrust_permutation();
void register_cudnn();  // where it is built: all of kernels/*/cudnn.cpp

/// For `heddle info`; opens the library where there is a GPU.
DeviceLibrary cublaslt_status();
DeviceLibrary cudnn_status();

}  // namespace heddle::kernels::cuda
