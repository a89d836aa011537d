#pragma once

#include "kernels/simt/simt.h"

HEDDLE_KERNELS_BEGIN

/// `store_vector` to global memory, by one instruction for sure: the compiler takes the store of a vector apart where
/// its elements were made behind branches, and does not always join them again (docs/sass.md shows where).
template <class T, int count>
__device__ inline void store_vector_global(T* to, const Vector<T, count>& value HEDDLE_CALLER) {
#if defined(__CUDA_ARCH__)
    if constexpr (sizeof(value) == 16) {
        const uint4 bits = __builtin_bit_cast(uint4, value);
        asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(bits.x),
                     "r"(bits.y), "r"(bits.z), "r"(bits.w)
                     : "memory");
        return;
    }
#endif
    store_vector(to, value HEDDLE_PASS_CALLER);
}

HEDDLE_KERNELS_END
