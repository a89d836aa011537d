#pragma once

#include <cstdint>

#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

enum class ReduceOp : std::uint8_t { sum, mean, max, min };

/// y = op over the axes of x whose bit is set in `axes` (bit 0: axis 0). y holds the kept extents in their order; the
/// reduced ones are 1 or left out. x and y have one dtype: floating; i32 and i64 but for mean (sums wrap around). Sums
/// are blocked and accumulate in f64 on the CPU and in f32 on a GPU, in an order that depends on the shape and the
/// number of threads alone. max and min hand on a NaN. An empty sum is 0, an empty mean NaN; max and min need at least
/// one element to reduce.
struct Reduce {
    ReduceOp op = ReduceOp::sum;
    std::uint32_t axes = 0;
    View x;
    View y;
};
HEDDLE_API KernelTable<Reduce>& reduce();

/// y = x summed down to the shape of y, which broadcasts to the shape of x: the gradient of broadcasting. One
/// floating dtype.
struct ReduceToShape {
    View x;
    View y;
};
HEDDLE_API KernelTable<ReduceToShape>& reduce_to_shape();

/// y = the place of the largest (or smallest) element along `axis` (0 <= axis < rank); of equal ones the first; a NaN
/// wins, as in PyTorch. x: floating, i32 or i64, with at least one element along `axis`; y: i64, x's shape without
/// `axis` (or with 1 there).
struct ArgReduce {
    bool max = true;
    int axis = 0;
    View x;
    View y;
};
HEDDLE_API KernelTable<ArgReduce>& arg_reduce();

/// The k largest elements of each row (last axis), falling, and their places; of equal ones the lower place comes
/// first; NaN counts as the largest. x: [..., n], floating, i32 or i64; values: [..., k] of the same dtype; indices:
/// [..., k], i64; 0 <= k <= n. k = n sorts.
struct TopK {
    std::int64_t k = 1;
    View x;
    View values;
    View indices;
};
HEDDLE_API KernelTable<TopK>& top_k();

}  // namespace heddle::kernels
