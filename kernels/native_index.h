#pragma once

#include <cstdint>

#include "core/shape.h"
#include "kernels/simt/divide.h"

// From the linear index of an element to the place of another one that belongs to it.
HEDDLE_KERNELS_BEGIN

/// How an operand is walked while a result is written in order: the extents of the result, and by how much the
/// operand's offset grows along each. Axes that are walked as one are merged, so that usual cases have one or two.
class Walk {
  public:
    /// Adds an axis inside the former ones. extent >= 1.
    void append(std::int64_t extent, std::int64_t stride) {
        if (extent == 1) return;
        if (rank_ > 0 && strides_[rank_ - 1] == stride * extent) {
            extents_[rank_ - 1] = Divisor64(last_extent_ *= extent);
            strides_[rank_ - 1] = stride;
            return;
        }
        extents_[rank_] = Divisor64(last_extent_ = extent);
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
            const std::int64_t outer = extents_[axis].divide(i), at = i - outer * extents_[axis].divisor();
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
    Divisor64 extents_[Shape::max_rank] = {};
    std::int64_t strides_[Shape::max_rank] = {};
};

HEDDLE_KERNELS_END
