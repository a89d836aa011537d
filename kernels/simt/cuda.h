#pragma once

// The GPU's side of the vocabulary (see simt.h).
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/device.h"
#include "kernels/table.h"
#define HEDDLE_KERNELS_BEGIN namespace heddle::kernels::cuda {
#define HEDDLE_KERNELS_END }
/// A shared array `T name dims` of the block: HEDDLE_SHARED(float, tile, [32][33]). Uninitialised.
#define HEDDLE_SHARED(T, name, ...) __shared__ __align__(16) T name __VA_ARGS__
/// `T* name` at the start of the block's dynamic shared memory (the `shared_bytes` of the launch), aligned to 128.
#define HEDDLE_SHARED_DYNAMIC(T, name)                                      \
    extern __shared__ __align__(128) unsigned char heddle_dynamic_shared[]; \
    T* name = reinterpret_cast<T*>(heddle_dynamic_shared)
#define HEDDLE_UNROLL _Pragma("unroll")
/// Last in a parameter list, and in the call that it is passed on to: the simulator's reports name the caller's line.
#define HEDDLE_CALLER
#define HEDDLE_PASS_CALLER
#define HEDDLE_ONLY_CALLER

HEDDLE_KERNELS_BEGIN

/// The device whose kernels this build makes.
inline constexpr DeviceKind backend = DeviceKind::cuda;

/// The CUDA stream behind a context, whose GPU becomes the current one. Defined by the driver.
cudaStream_t stream_of(const KernelContext& context);
/// Throws `Error` that names the operation and what the runtime said.
[[noreturn]] void fail_launch(const KernelContext& context, cudaError_t error);

/// Queues kernel<<<grid, block, shared_bytes>>>(args...) on the context's stream. A grid with a zero extent is no work.
/// Throws `Error` that names the operation where the launch is refused.
template <class... Parameters, class... Args>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            const KernelContext& context, Args&&... args) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream_of(context);
    if (shared_bytes > 48 * 1024) {  // an attribute of the kernel on the current GPU
        const cudaError_t error =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
        if (error != cudaSuccess) fail_launch(context, error);
    }
    const cudaError_t error = cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(args)...);
    if (error != cudaSuccess) fail_launch(context, error);
}

HEDDLE_KERNELS_END
