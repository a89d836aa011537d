#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "core/tensor.h"
#include "kernels/copy/copy.h"

namespace heddle::ops {

using kernels::PadMode;

/// All of these are differentiable and work for every dtype; gradients that add up have no f16 on the CPU.

/// Axis i of the result is axis `axes[i]` of x: {0, 3, 1, 2} turns NHWC into NCHW.
HEDDLE_API Tensor permute(const Tensor& x, std::span<const int> axes);
inline Tensor permute(const Tensor& x, std::initializer_list<int> axes) {
    return permute(x, std::span<const int>(axes.begin(), axes.size()));
}
/// Swaps two axes.
HEDDLE_API Tensor transpose(const Tensor& x, int a, int b);
HEDDLE_API Tensor concat(std::span<const Tensor> parts, int axis = -1);
/// Parts of these extents along `axis`; they add up to the extent of x.
HEDDLE_API std::vector<Tensor> split(const Tensor& x, std::span<const std::int64_t> extents, int axis = -1);
/// New leading dimension: [k, ...] from k tensors of one shape.
HEDDLE_API Tensor stack(std::span<const Tensor> parts);
HEDDLE_API Tensor broadcast_to(const Tensor& x, const Shape& shape);

/// One (before, after) pair per axis.
HEDDLE_API Tensor pad(const Tensor& x, std::span<const std::array<std::int64_t, 2>> widths,
                      PadMode mode = PadMode::constant, double value = 0);

/// start, stop (exclusive; clamped to the extent), step along one axis; negative numbers count from the end, steps are
/// positive.
struct Range {
    std::int64_t start = 0;
    std::int64_t stop = INT64_MAX;
    std::int64_t step = 1;
};
/// x[ranges[0], ranges[1], ...]; axes without a range are taken whole.
HEDDLE_API Tensor slice(const Tensor& x, std::initializer_list<Range> ranges);
/// Reverses one axis.
HEDDLE_API Tensor flip(const Tensor& x, int axis);

/// Elements of x at `indices` along `axis`; the shape of the indices takes the axis's place. Here and below, indices
/// are i32 or i64 and checked on the CPU: one out of range is an `Error` that names it. On a device, where the check
/// would make the host wait, it gives NaN (0 in types without it; zeros of `one_hot`) and gets no gradient.
HEDDLE_API Tensor gather(const Tensor& x, const Tensor& indices, int axis = 0);
/// Rows of `table` [n, size] at `indices` [...]: [..., size]. Row `padding_index` is a constant: it gets no gradient.
HEDDLE_API Tensor embedding(const Tensor& table, const Tensor& indices, std::optional<std::int64_t> padding_index = {});
/// y[..., j] = x[..., indices[..., j]].
HEDDLE_API Tensor take_along(const Tensor& x, const Tensor& indices);
/// 1 at the index, 0 elsewhere: [..., classes].
HEDDLE_API Tensor one_hot(const Tensor& indices, std::int64_t classes, DType dtype = DType::f32);

}  // namespace heddle::ops
