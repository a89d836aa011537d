#pragma once

#include <cstdint>

#include "core/shape.h"
#include "kernels/simt/simt.h"

// From the linear index of an element to the place of another one that belongs to it.
HEDDLE_KERNELS_BEGIN

/// The upper half of a product.
__device__ inline std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#if defined(__CUDACC__)
    return __umul64hi(a, b);
#else
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64);
#endif
}

/// Divides indices by an extent that the host knows: a product and a shift (Granlund and Montgomery 1994, "Division by
/// invariant integers using multiplication"). About 15 instructions for any index below 2^63, which a kernel that is
/// bound by memory has to spare; a division of 64 bits takes about 100.
class Divider {
  public:
    Divider() = default;
    /// divisor >= 1.
    explicit Divider(std::int64_t divisor) : divisor_(divisor) {
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
    __device__ std::int64_t quotient(std::int64_t n) const {
        if (magic_ == 0) return n;
        return static_cast<std::int64_t>(multiply_high(static_cast<std::uint64_t>(n), magic_) >> shift_);
    }

  private:
    std::uint64_t magic_ = 0;  // 0: the divisor is 1
    std::int64_t divisor_ = 1;
    int shift_ = 0;
};

/// How an operand is walked while a result is written in order: the extents of the result, and by how much the
/// operand's offset grows along each. Axes that are walked as one are merged, so that usual cases have one or two.
class Walk {
  public:
    /// Adds an axis inside the former ones. extent >= 1.
    void append(std::int64_t extent, std::int64_t stride) {
        if (extent == 1) return;
        if (rank_ > 0 && strides_[rank_ - 1] == stride * extent) {
            extents_[rank_ - 1] = Divider(last_extent_ *= extent);
            strides_[rank_ - 1] = stride;
            return;
        }
        extents_[rank_] = Divider(last_extent_ = extent);
        strides_[rank_++] = stride;
    }

    int rank() const { return rank_; }
    std::int64_t last_extent() const { return last_extent_; }
    /// Whether runs of `count` elements of the result, each beginning at a multiple of it, lie in one line with this
    /// stride, and such runs begin at multiples of `count` where the stride is 1.
    bool has_runs(int count, std::int64_t stride) const {
        if (rank_ == 0) return stride == 0;
        if (strides_[rank_ - 1] != stride || last_extent_ % count != 0) return false;
        for (int axis = 0; stride == 1 && axis < rank_ - 1; ++axis)
            if (strides_[axis] % count != 0) return false;
        return true;
    }

    __device__ std::int64_t last_stride() const { return strides_[rank_ > 0 ? rank_ - 1 : 0]; }
    /// The operand's offset at element `i` of the result; `left`: how many elements from `i` on lie in one line.
    __device__ std::int64_t offset(std::int64_t i, std::int64_t& left) const {
        std::int64_t offset = 0;
        left = last_extent_;
        _Pragma("unroll 1")  // short code: it stands in many kernels
            for (int axis = rank_ - 1; axis > 0; --axis) {
            const std::int64_t outer = extents_[axis].quotient(i), at = i - outer * extents_[axis].divisor();
            if (axis == rank_ - 1) left -= at;
            offset += at * strides_[axis];
            i = outer;
        }
        if (rank_ == 1) left -= i;
        return offset + i * strides_[0];
    }
    __device__ std::int64_t offset(std::int64_t i) const {
        std::int64_t left;
        return offset(i, left);
    }

  private:
    int rank_ = 0;
    std::int64_t last_extent_ = 1;
    Divider extents_[Shape::max_rank] = {};
    std::int64_t strides_[Shape::max_rank] = {};
};

HEDDLE_KERNELS_END
