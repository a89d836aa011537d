#pragma once

#include <cstdint>

#include "kernels/simt/simt.h"

HEDDLE_KERNELS_BEGIN

// Division by a number that the host knows: a multiplication and a shift (Granlund and Montgomery 1994, "Division by
// invariant integers using multiplication").

/// Divides 0 <= n < 2^31; the divisor is at least 1. About 3 instructions.
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

/// The upper half of a product.
__device__ inline std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#if defined(__CUDACC__)
    return __umul64hi(a, b);
#else
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64);
#endif
}

/// Divides 0 <= n < 2^63; the divisor is at least 1. About 15 instructions, which a kernel that is bound by memory has
/// to spare; a division of 64 bits takes about 100.
class Divisor64 {
  public:
    Divisor64() = default;
    explicit Divisor64(std::int64_t divisor) : divisor_(divisor) {
        if (divisor == 1) return;
        const std::uint64_t d = static_cast<std::uint64_t>(divisor);
        int bits = 1;  // 2^(bits - 1) < d <= 2^bits
        while (bits < 63 && (std::uint64_t{1} << bits) < d) ++bits;
        // magic = 2^(63 + bits) / d, rounded up: below 2^64, and exact enough for n < 2^63.
        std::uint64_t quotient = 0, rest = 1;
        for (int i = 0; i < 63 + bits; ++i) {
            quotient *= 2, rest *= 2;
            if (rest >= d) ++quotient, rest -= d;
        }
        magic_ = quotient + (rest != 0 ? 1 : 0);
        shift_ = bits - 1;
    }

    __host__ __device__ std::int64_t divisor() const { return divisor_; }
    __device__ std::int64_t divide(std::int64_t n) const {
        if (magic_ == 0) return n;
        return static_cast<std::int64_t>(multiply_high(static_cast<std::uint64_t>(n), magic_) >> shift_);
    }

  private:
    std::uint64_t magic_ = 0;  // 0: the divisor is 1
    std::int64_t divisor_ = 1;
    int shift_ = 0;
};

HEDDLE_KERNELS_END
