#pragma once

#include <cuda_runtime.h>

// CUDA's built-in variables, real ones here: the scheduler sets them whenever another thread goes on.
extern constinit thread_local uint3 threadIdx, blockIdx;
extern constinit thread_local dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;
