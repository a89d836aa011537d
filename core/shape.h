#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "core/export.h"

namespace heddle {

/// The extents of a dense row-major tensor; at most `max_rank` of them. A scalar has rank 0 and one element. An extent
/// of -1 means "whatever fits" to `reshape`; everything else refuses it.
class HEDDLE_API Shape {
  public:
    static constexpr int max_rank = 8;

    Shape() = default;
    /// Throws `Error` for more than `max_rank` extents or one below -1.
    Shape(std::initializer_list<std::int64_t> extents);
    explicit Shape(std::span<const std::int64_t> extents);

    int rank() const { return rank_; }
    /// `axis` may be negative: -1 is the last. Throws `Error` when out of range (`operator[]` does not check).
    std::int64_t at(int axis) const;
    std::int64_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
    std::int64_t& operator[](int axis) { return extents_[static_cast<std::size_t>(axis)]; }
    /// The last extent. Throws `Error` for a scalar, which has none.
    std::int64_t back() const {
        if (rank_ == 0) [[unlikely]]
            return at(-1);
        return extents_[static_cast<std::size_t>(rank_ - 1)];
    }

    /// The number of elements; 1 for a scalar.
    std::int64_t elements() const {
        std::int64_t count = 1;
        for (int axis = 0; axis < rank_; ++axis) count *= extents_[static_cast<std::size_t>(axis)];
        return count;
    }
    /// The product of extents `first` .. `last` - 1.
    std::int64_t elements(int first, int last) const {
        std::int64_t count = 1;
        for (int axis = first; axis < last; ++axis) count *= extents_[static_cast<std::size_t>(axis)];
        return count;
    }

    void push_back(std::int64_t extent);
    /// The shape without (or with another) extent at `axis`; negative axes count from the end.
    Shape without(int axis) const;
    Shape with(int axis, std::int64_t extent) const;
    /// Extents `first` .. `last` - 1.
    Shape range(int first, int last) const;

    const std::int64_t* begin() const { return extents_.data(); }
    const std::int64_t* end() const { return extents_.data() + rank_; }
    bool operator==(const Shape& other) const {
        if (rank_ != other.rank_) return false;
        for (int axis = 0; axis < rank_; ++axis)
            if ((*this)[axis] != other[axis]) return false;
        return true;
    }

    /// "[128, 32, 32, 3]".
    std::string to_string() const;

  private:
    std::array<std::int64_t, max_rank> extents_{};
    int rank_ = 0;
};

/// 0 <= result < rank; throws `Error` naming `operation` otherwise.
HEDDLE_API int normalize_axis(int axis, int rank, const char* operation);

/// The shape two operands broadcast to, as in numpy; throws `Error` naming `operation` and both shapes.
HEDDLE_API Shape broadcast(const Shape& a, const Shape& b, const char* operation);

}  // namespace heddle
