#pragma once

#include <limits>

#include "kernels/simt/native.h"

// What elements are reduced with.
HEDDLE_KERNELS_BEGIN

/// What is summed: f32 for floating types, integers as they are.
template <class T>
using Accumulator = std::conditional_t<std::is_integral_v<T>, T, float>;

template <class T>
__device__ inline Accumulator<T> widen(T value) {
    if constexpr (std::is_integral_v<T>)
        return value;
    else
        return to_f32(value);
}

/// `divisor`: 1, or the number of elements for a mean (floating only).
template <class T, class A>
__device__ inline T finished(A value, float divisor) {
    if constexpr (std::is_integral_v<T>)
        return value;
    else
        return from_f32<T>(value / divisor);
}

template <class A>
struct Total {
    static constexpr A identity = 0;
    __device__ A operator()(A a, A b) const { return a + b; }
};

/// A NaN wins. The identities are the infinities, or the type's ends.
template <class A>
struct Largest {
    static constexpr A identity =
        std::is_integral_v<A> ? std::numeric_limits<A>::lowest() : -std::numeric_limits<A>::infinity();
    __device__ A operator()(A a, A b) const {
        if constexpr (std::is_integral_v<A>)
            return a > b ? a : b;
        else
            return a > b || a != a ? a : b;
    }
};
template <class A>
struct Smallest {
    static constexpr A identity =
        std::is_integral_v<A> ? std::numeric_limits<A>::max() : std::numeric_limits<A>::infinity();
    __device__ A operator()(A a, A b) const {
        if constexpr (std::is_integral_v<A>)
            return a < b ? a : b;
        else
            return a < b || a != a ? a : b;
    }
};

HEDDLE_KERNELS_END
