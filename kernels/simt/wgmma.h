#pragma once

#include "kernels/simt/mbarrier.h"

// Matrix products of a warpgroup, four warps that begin at a multiple of four (wgmma; see mbarrier.h for where this
// exists): D (64 x n, f32) += A (64 x 16) B (16 x n) of 16-bit elements, A and B in shared memory. They run beside the
// threads. In order: wgmma_fence; wgmma, as often as wanted; wgmma_commit, which closes a group; wgmma_wait for the
// groups; then the sums may be touched, and what the operands lay in may be written.
//
// With w = warp % 4, g = lane / 4 and t = lane % 4 a thread holds of D
//   d[4 j + 0], d[4 j + 1]: D[16 w + g][8 j + 2 t ..]      d[4 j + 2], d[4 j + 3]: D[16 w + g + 8][8 j + 2 t ..]
// (PTX ISA, "Register fragments and shared memory matrix layouts" of wgmma.mma_async).
HEDDLE_KERNELS_BEGIN

/// Describes an operand that `copy_box` has brought.
///   along k: rows are m or n, the box's columns are k, and `tile` is the first row's place, at a multiple of 8 rows.
///   along m or n: rows are k, the box's columns are m or n; boxes of 64 of them lie `box_step` bytes apart.
/// Step k of 16 in the box: `wgmma_step`.
__device__ inline std::uint64_t wgmma_operand(const void* tile, unsigned box_step HEDDLE_CALLER) {
    std::uint64_t address = 0;
#if defined(__CUDA_ARCH__)
    address = shared_address(tile);
#elif !defined(__CUDACC__)
    address = ::heddle::simt::shared_offset(tile HEDDLE_PASS_CALLER);
#endif
    constexpr std::uint64_t swizzle_128 = 1, eight_rows = 1024;
    return (address & 0x3ffff) >> 4 | static_cast<std::uint64_t>(box_step >> 4) << 16 | (eight_rows >> 4) << 32 |
           swizzle_128 << 62;
}

/// The descriptor moved on by 16 along k: 32 bytes of each row, or 16 rows.
template <bool along_k>
__device__ inline std::uint64_t wgmma_step(std::uint64_t operand, int steps) {
    return operand + static_cast<std::uint64_t>(steps) * ((along_k ? 32 : 16 * 128) >> 4);
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define HEDDLE_SUMS_8(i)                                                                                        \
    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
        "+f"(d[i + 7])
#define HEDDLE_SUMS_64                                                                                              \
    HEDDLE_SUMS_8(0), HEDDLE_SUMS_8(8), HEDDLE_SUMS_8(16), HEDDLE_SUMS_8(24), HEDDLE_SUMS_8(32), HEDDLE_SUMS_8(40), \
        HEDDLE_SUMS_8(48), HEDDLE_SUMS_8(56)
#define HEDDLE_SUMS_128                                                                                            \
    HEDDLE_SUMS_64, HEDDLE_SUMS_8(64), HEDDLE_SUMS_8(72), HEDDLE_SUMS_8(80), HEDDLE_SUMS_8(88), HEDDLE_SUMS_8(96), \
        HEDDLE_SUMS_8(104), HEDDLE_SUMS_8(112), HEDDLE_SUMS_8(120)
#define HEDDLE_WGMMA_128(type)                                                             \
    asm volatile(                                                                          \
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %66, 0;\n\t"                                 \
        "wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type                       \
        " {"                                                                               \
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"   \
        "}, %64, %65, p, 1, 1, %67, %68;\n\t}"                                             \
        : HEDDLE_SUMS_64                                                                   \
        : "l"(a), "l"(b), "r"(accumulate ? 1 : 0), "n"(a_along_m ? 1 : 0), "n"(b_along_n ? 1 : 0))
#define HEDDLE_WGMMA_256(type)                                                                           \
    asm volatile(                                                                                        \
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %130, 0;\n\t"                                              \
        "wgmma.mma_async.sync.aligned.m64n256k16.f32." type "." type                                     \
        " {"                                                                                             \
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                         \
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "               \
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "               \
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "               \
        "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "               \
        "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "               \
        "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "   \
        "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127" \
        "}, %128, %129, p, 1, 1, %131, %132;\n\t}"                                                       \
        : HEDDLE_SUMS_128                                                                                \
        : "l"(a), "l"(b), "r"(accumulate ? 1 : 0), "n"(a_along_m ? 1 : 0), "n"(b_along_n ? 1 : 0))
#endif

/// Starts d (+)= a b, for f16 or bf16. `a` and `b`: descriptors; whether a's box has its columns along m, and b's along
/// n. All threads of the warpgroup must call it, with the same operands.
template <class T, int n, bool a_along_m, bool b_along_n>
__device__ inline void wgmma(float (&d)[n / 2], std::uint64_t a, std::uint64_t b, bool accumulate HEDDLE_CALLER) {
    static_assert(std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16>);
    static_assert(n == 128 || n == 256);
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    if constexpr (n == 128 && std::is_same_v<T, __half>)
        HEDDLE_WGMMA_128("f16");
    else if constexpr (n == 128)
        HEDDLE_WGMMA_128("bf16");
    else if constexpr (std::is_same_v<T, __half>)
        HEDDLE_WGMMA_256("f16");
    else
        HEDDLE_WGMMA_256("bf16");
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::warpgroup_multiply(
        d, {a, b, n, accumulate, std::is_same_v<T, __half>, a_along_m, b_along_n} HEDDLE_PASS_CALLER);
#endif
}
#undef HEDDLE_SUMS_8
#undef HEDDLE_SUMS_64
#undef HEDDLE_SUMS_128
#undef HEDDLE_WGMMA_128
#undef HEDDLE_WGMMA_256

/// Before the first product, and after sums have been touched: the products that follow see their values.
__device__ inline void wgmma_fence(HEDDLE_ONLY_CALLER) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::warpgroup_fence(caller);
#endif
}

/// Closes the group of products started since the last commit.
__device__ inline void wgmma_commit(HEDDLE_ONLY_CALLER) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::warpgroup_commit(caller);
#endif
}

/// Waits until at most `groups` groups are under way. All lanes of the warp must call it.
template <int groups>
__device__ inline void wgmma_wait(HEDDLE_ONLY_CALLER) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(groups) : "memory");
#elif defined(__CUDA_ARCH__)
    __trap();
#elif !defined(__CUDACC__)
    ::heddle::simt::warpgroup_wait(groups HEDDLE_PASS_CALLER);
#endif
}

/// Here sums have their values: the compiler moves no use of them across it. After the wait that completes them.
template <int count>
__device__ inline void settle([[maybe_unused]] float (&sums)[count]) {
#if defined(__CUDA_ARCH__)
    HEDDLE_UNROLL
    for (int i = 0; i < count; ++i) asm volatile("" : "+f"(sums[i])::"memory");
#endif
}

/// The warpgroup goes on with so many registers a thread, which must be fewer than before (`take_registers`: more, for
/// which it waits until others have given some back). All its warps must call it.
template <int registers>
__device__ inline void give_back_registers(HEDDLE_ONLY_CALLER) {
    static_assert(registers >= 24 && registers <= 256 && registers % 8 == 0);
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
#elif !defined(__CUDACC__)
    ::heddle::simt::change_registers(registers, false, caller);
#endif
}
template <int registers>
__device__ inline void take_registers(HEDDLE_ONLY_CALLER) {
    static_assert(registers >= 24 && registers <= 256 && registers % 8 == 0);
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
#elif !defined(__CUDACC__)
    ::heddle::simt::change_registers(registers, true, caller);
#endif
}

HEDDLE_KERNELS_END
