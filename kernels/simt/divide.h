#pragma once

#include "kernels/simt/simt.h"

HEDDLE_KERNELS_BEGIN

/// Division by a number that is known before the kernel's loops: a multiplication and a shift (Granlund and Montgomery,
/// 1994). Exact for dividends 0 <= n < 2^31; the divisor is at least 1.
struct Divisor {
    int value = 1;
    std::uint32_t multiplier = 1u << 31;
    int shift = 31;

    Divisor() = default;
    __host__ __device__ explicit Divisor(int divisor) : value(divisor) {
        // 2^(bits - 1) < divisor <= 2^bits; the multiplier's error, times n, stays below 2^shift.
        int bits = 0;
        while ((1ll << bits) < divisor) ++bits;
        shift = 31 + bits;
        multiplier = static_cast<std::uint32_t>(((1ull << shift) + static_cast<unsigned>(divisor) - 1) /
                                                static_cast<unsigned>(divisor));
    }

    __host__ __device__ int divide(int n) const {
        return static_cast<int>((static_cast<std::uint64_t>(static_cast<std::uint32_t>(n)) * multiplier) >> shift);
    }
    /// n / value and, in `rest`, n % value.
    __host__ __device__ int divide(int n, int& rest) const {
        const int quotient = divide(n);
        rest = n - quotient * value;
        return quotient;
    }
};

HEDDLE_KERNELS_END
