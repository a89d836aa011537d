#pragma once

// Sums and the like over a warp or a block (included by simt.h). The order of the additions depends on the block's size
// alone, so that results are the same every time.
HEDDLE_KERNELS_BEGIN

inline constexpr unsigned all_lanes = 0xffffffffu;
inline constexpr int warp_size = 32;

struct Sum {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return a + b;
    }
};
/// A NaN wins.
struct Max {
    __device__ float operator()(float a, float b) const { return a > b || a != a ? a : b; }
};

/// Every lane gets the reduction over its group of `width` neighbouring lanes (a power of two up to 32). All lanes of
/// the warp must call it.
template <int width = warp_size, class T, class Op>
__device__ inline T warp_reduce(T value, Op op) {
    HEDDLE_UNROLL
    for (int offset = width / 2; offset > 0; offset /= 2) value = op(value, __shfl_xor_sync(all_lanes, value, offset));
    return value;
}

/// Every thread gets the reduction over the block, whose size is a multiple of 32. All threads must call it; it begins
/// and ends with barriers, so calls may follow each other. `identity`: op(identity, x) = x.
template <class T, class Op>
__device__ inline T block_reduce(T value, Op op, T identity) {
    HEDDLE_SHARED(T, partial, [warp_size]);
    const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned warps = blockDim.x * blockDim.y * blockDim.z / warp_size;
    value = warp_reduce(value, op);
    __syncthreads();  // a former call's readers are done
    if (thread % warp_size == 0) partial[thread / warp_size] = value;
    __syncthreads();
    value = thread % warp_size < warps ? partial[thread % warp_size] : identity;
    return warp_reduce(value, op);
}

HEDDLE_KERNELS_END
