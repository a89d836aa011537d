#pragma once

// Types of elements, and accesses of several at once (included by simt.h).
HEDDLE_KERNELS_BEGIN

__device__ inline float to_f32(float value) { return value; }
__device__ inline float to_f32(__half value) { return __half2float(value); }
__device__ inline float to_f32(__nv_bfloat16 value) { return __bfloat162float(value); }

/// Rounds to nearest even.
template <class T>
__device__ inline T from_f32(float value) {
    if constexpr (sizeof(T) == sizeof(float))
        return value;
    else if constexpr (std::is_same_v<T, __half>)
        return __float2half_rn(value);
    else
        return __float2bfloat16_rn(value);
}

/// `count` elements that are loaded and stored by one instruction: 4, 8 or 16 bytes in all.
template <class T, int count>
struct alignas(sizeof(T) * count) Vector {
    T element[count];

    __device__ T& operator[](int i) { return element[i]; }
    __device__ const T& operator[](int i) const { return element[i]; }
};

/// How many elements of T one 16-byte access moves.
template <class T>
inline constexpr int vector_width = 16 / static_cast<int>(sizeof(T));

/// `from` must be aligned to the vector; the simulator reports it where it is not.
template <int count, class T>
__device__ inline Vector<T, count> load_vector(const T* from HEDDLE_CALLER) {
#if !defined(__CUDACC__)
    ::heddle::simt::check_aligned(from, sizeof(Vector<T, count>) HEDDLE_PASS_CALLER);
#endif
    return *reinterpret_cast<const Vector<T, count>*>(from);
}

template <class T, int count>
__device__ inline void store_vector(T* to, const Vector<T, count>& value HEDDLE_CALLER) {
#if !defined(__CUDACC__)
    ::heddle::simt::check_aligned(to, sizeof(Vector<T, count>) HEDDLE_PASS_CALLER);
#endif
    *reinterpret_cast<Vector<T, count>*>(to) = value;
}

/// Whether an address suits vectors of `bytes` bytes: for host code that chooses between kernels.
inline bool is_aligned(const void* address, std::size_t bytes = 16) {
    return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

HEDDLE_KERNELS_END
