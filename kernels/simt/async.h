#pragma once

// Copies from global to shared memory that run beside the computation (cp.async; included by simt.h).
HEDDLE_KERNELS_BEGIN

/// Starts to copy 16 bytes, both addresses aligned to 16. Where `wanted` is false, zeros are written and `from` is not
/// read. The bytes may be used after a wait and a barrier.
__device__ inline void copy_async_16(void* to_shared, const void* from, bool wanted = true HEDDLE_CALLER) {
#if defined(__CUDA_ARCH__)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                     static_cast<unsigned>(__cvta_generic_to_shared(to_shared))),
                 "l"(from), "r"(wanted ? 16 : 0)
                 : "memory");
#elif !defined(__CUDACC__)
    ::heddle::simt::copy_async(to_shared, from, 16, wanted HEDDLE_PASS_CALLER);
#endif
}

/// The same for 4 bytes.
__device__ inline void copy_async_4(void* to_shared, const void* from, bool wanted = true HEDDLE_CALLER) {
#if defined(__CUDA_ARCH__)
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(
                     static_cast<unsigned>(__cvta_generic_to_shared(to_shared))),
                 "l"(from), "r"(wanted ? 4 : 0)
                 : "memory");
#elif !defined(__CUDACC__)
    ::heddle::simt::copy_async(to_shared, from, 4, wanted HEDDLE_PASS_CALLER);
#endif
}

/// Closes the group of copies started since the last commit.
__device__ inline void copy_async_commit(HEDDLE_ONLY_CALLER) {
#if defined(__CUDA_ARCH__)
    asm volatile("cp.async.commit_group;" ::: "memory");
#elif !defined(__CUDACC__)
    ::heddle::simt::copy_async_commit(caller);
#endif
}

/// Waits until at most `groups` of this thread's committed groups are still under way. Other threads see the bytes
/// after a barrier.
template <int groups>
__device__ inline void copy_async_wait(HEDDLE_ONLY_CALLER) {
#if defined(__CUDA_ARCH__)
    asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
#elif !defined(__CUDACC__)
    ::heddle::simt::copy_async_wait(groups HEDDLE_PASS_CALLER);
#endif
}

HEDDLE_KERNELS_END
