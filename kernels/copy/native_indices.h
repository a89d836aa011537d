#pragma once

#include <limits>

#include "kernels/copy/copy.h"
#include "kernels/native_map.h"

HEDDLE_KERNELS_BEGIN

/// A tensor of indices, i32 or i64.
class Indices {
  public:
    explicit Indices(const View& view) : data_(view.data), wide_(view.dtype == DType::i64) {}

    __device__ std::int64_t operator[](std::int64_t i) const {
        return wide_ ? static_cast<const std::int64_t*>(data_)[i] : static_cast<const std::int32_t*>(data_)[i];
    }

  private:
    const void* data_;
    bool wide_;
};

/// 0 <= index < extent, by one comparison.
__device__ inline bool is_inside(std::int64_t index, std::int64_t extent) {
    return static_cast<std::uint64_t>(index) < static_cast<std::uint64_t>(extent);
}

/// What stands where an index is none: NaN, or 0 in types without it.
template <class T>
T missing(DType dtype) {
    return is_floating(dtype) ? bits_of<T>(std::numeric_limits<double>::quiet_NaN(), dtype) : T{};
}

/// Where in x element i of a gather's result stands; below 0 where the index is none of x's.
class GatherSource {
  public:
    explicit GatherSource(const Gather& args)
        : indices_(args.indices),
          extent_(args.x.shape[args.axis]),
          inner_(args.x.shape.elements(args.axis + 1, args.x.shape.rank())),
          count_(args.indices.elements()) {}

    /// Elements that are taken together.
    std::int64_t inner() const { return inner_.divisor(); }
    __device__ std::int64_t operator()(std::int64_t i) const {
        const std::int64_t line = inner_.divide(i), outer = count_.divide(line);
        const std::int64_t index = indices_[line - outer * count_.divisor()];
        if (!is_inside(index, extent_)) return -1;
        return (outer * extent_ + index) * inner_.divisor() + i - line * inner_.divisor();
    }

  private:
    Indices indices_;
    std::int64_t extent_;
    Divisor64 inner_, count_;
};

HEDDLE_KERNELS_END
