#pragma once

#include "kernels/simt/simt.h"
#if !defined(__CUDACC__)
#include "kernels/simt/hopper_runtime.h"
#endif

// Barriers in shared memory that count arrivals of threads and bytes of copies (mbarrier; compute capability 9.0 and
// newer). Kernels include this header, tensor_map.h and wgmma.h by themselves: what they offer exists in code compiled
// for sm_90a alone, and traps in any other.
HEDDLE_KERNELS_BEGIN

/// A barrier has phases, numbered from 0. A phase is complete when as many threads have arrived as `mbarrier_init` says
/// and all bytes that they have announced are there; then the next one begins.
struct alignas(8) Mbarrier {
    std::uint64_t state;
};

#if defined(__CUDA_ARCH__)
__device__ inline unsigned shared_address(const void* in_shared) {
    return static_cast<unsigned>(__cvta_generic_to_shared(in_shared));
}
#endif

/// By one thread, which then calls `fence_async`; a block's barrier comes before the first use.
__device__ inline void mbarrier_init(Mbarrier& barrier, unsigned arrivals HEDDLE_CALLER) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&barrier)), "r"(arrivals) : "memory");
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::mbarrier_init(&barrier, arrivals HEDDLE_PASS_CALLER);
#endif
}

/// Orders what this thread has written to shared memory before what copies of boxes and wgmma do with it.
__device__ inline void fence_async(HEDDLE_ONLY_CALLER) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::fence_async(caller);
#endif
}

/// What this thread has done before is done for whoever waits for the phase.
__device__ inline void mbarrier_arrive(Mbarrier& barrier HEDDLE_CALLER) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&barrier)) : "memory");
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::mbarrier_arrive(&barrier, 0 HEDDLE_PASS_CALLER);
#endif
}

/// The same, and copies will bring `bytes` bytes in this phase.
__device__ inline void mbarrier_arrive_expect(Mbarrier& barrier, unsigned bytes HEDDLE_CALLER) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&barrier)), "r"(bytes)
                 : "memory");
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::mbarrier_arrive(&barrier, bytes HEDDLE_PASS_CALLER);
#endif
}

/// Waits until the phase of this parity (its number % 2) is complete. The barrier must be in that phase or the next: of
/// a new barrier, 1 counts as complete.
__device__ inline void mbarrier_wait(Mbarrier& barrier, unsigned parity HEDDLE_CALLER) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    unsigned complete = 0;
    do {
        asm volatile(
            "{\n\t"
            ".reg .pred p;\n\t"
            "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n\t"
            "selp.u32 %0, 1, 0, p;\n\t"
            "}"
            : "=r"(complete)
            : "r"(shared_address(&barrier)), "r"(parity)
            : "memory");
    } while (!complete);
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::mbarrier_wait(&barrier, parity HEDDLE_PASS_CALLER);
#endif
}

HEDDLE_KERNELS_END
