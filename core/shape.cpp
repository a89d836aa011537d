#include "core/shape.h"

#include <algorithm>

#include "core/check.h"

namespace heddle {

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const std::int64_t> extents) {
    for (const std::int64_t extent : extents) push_back(extent);
}

std::int64_t Shape::at(int axis) const { return (*this)[normalize_axis(axis, rank_, "Shape")]; }

void Shape::push_back(std::int64_t extent) {
    check(rank_ < max_rank, "Shape: more than {} dimensions", max_rank);
    check(extent >= -1, "Shape: negative extent {}", extent);
    extents_[static_cast<std::size_t>(rank_++)] = extent;
}

Shape Shape::without(int axis) const {
    axis = normalize_axis(axis, rank_, "Shape");
    Shape result;
    for (int i = 0; i < rank_; ++i)
        if (i != axis) result.push_back((*this)[i]);
    return result;
}

Shape Shape::with(int axis, std::int64_t extent) const {
    Shape result = *this;
    result[normalize_axis(axis, rank_, "Shape")] = extent;
    return result;
}

Shape Shape::range(int first, int last) const { return Shape(std::span(begin() + first, begin() + last)); }

std::string Shape::to_string() const { return fmt::format("[{}]", fmt::join(begin(), end(), ", ")); }

int normalize_axis(int axis, int rank, const char* operation) {
    check(axis >= -rank && axis < rank, "{}: axis {} is out of range for {} dimensions", operation, axis, rank);
    return axis < 0 ? axis + rank : axis;
}

Shape broadcast(const Shape& a, const Shape& b, const char* operation) {
    if (a == b) return a;
    const int rank = std::max(a.rank(), b.rank());
    Shape result;
    for (int axis = 0; axis < rank; ++axis) {
        const int in_a = axis - rank + a.rank(), in_b = axis - rank + b.rank();
        const std::int64_t x = in_a < 0 ? 1 : a[in_a], y = in_b < 0 ? 1 : b[in_b];
        check(x == y || x == 1 || y == 1, "{}: shapes {} and {} do not broadcast", operation, a, b);
        result.push_back(x == 1 ? y : x);
    }
    return result;
}

}  // namespace heddle
