#pragma once

// Matrix products of a warp on tensor cores (included by simt.h). A fragment is a warp's share of a small matrix, in
// registers; with g = lane / 4 and t = lane % 4 the lane holds, for D (16x8, f32) += A (16x16) B (16x8) of 16-bit
// elements, two to a register, the lower index in the lower half:
//   a[0]: A[g][2t..]  a[1]: A[g + 8][2t..]  a[2]: A[g][2t + 8..]  a[3]: A[g + 8][2t + 8..]
//   b[0]: B[2t..][g]  b[1]: B[2t + 8..][g]
//   d[0], d[1]: D[g][2t..]  d[2], d[3]: D[g + 8][2t..]
// (PTX ISA, "Matrix fragments for mma.m16n8k16".)
HEDDLE_KERNELS_BEGIN

/// d += a b for f16 or bf16, summed in f32. All lanes of the warp must call it.
template <class T>
__device__ inline void matrix_multiply_add(float (&d)[4], const std::uint32_t (&a)[4],
                                           const std::uint32_t (&b)[2] HEDDLE_CALLER) {
    static_assert(std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16>);
#if defined(__CUDA_ARCH__)
    if constexpr (std::is_same_v<T, __half>)
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    else
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif !defined(__CUDACC__)
    ::heddle::simt::matrix_multiply_add(d, a, b, std::is_same_v<T, __half> HEDDLE_PASS_CALLER);
#endif
}

/// Loads four 8x8 tiles of 16-bit elements from shared memory: lane l gives the address (aligned to 16 bytes) of row
/// l % 8 of tile l / 8; fragment[i] gets elements 2t and 2t + 1 of row g of tile i, or of the transposed tile.
template <bool transposed = false>
__device__ inline void load_matrix_x4(std::uint32_t (&fragment)[4], const void* row HEDDLE_CALLER) {
#if defined(__CUDA_ARCH__)
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
    if constexpr (transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
                     : "r"(address)
                     : "memory");
#elif !defined(__CUDACC__)
    ::heddle::simt::load_matrix_x4(fragment, row, transposed HEDDLE_PASS_CALLER);
#endif
}

HEDDLE_KERNELS_END
