#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/table.h"
#include "kernels/view.h"

// Operations that move elements. Those that only copy take every dtype, the same on both sides (no f64 on devices);
// those that add up (some backward steps) take floating ones: f32 and f64 on the CPU, f32, f16 and bf16 on devices,
// with sums in f32. No output may overlap an input.
namespace heddle::kernels {

/// y = x with its axes in another order: axis i of y is axis axes[i] of x. NHWC to NCHW is {0, 3, 1, 2}.
struct Permute {
    std::array<int, Shape::max_rank> axes = {};
    View x;
    View y;
};
HEDDLE_API KernelTable<Permute>& permute();

/// y = the parts one behind the other along `axis` (0 <= axis < rank), where y's extent is the sum of theirs; their
/// other extents agree.
struct Concat {
    int axis = 0;
    std::vector<View> parts = {};
    View y;
};
HEDDLE_API KernelTable<Concat>& concat();

/// The inverse of `Concat`: the parts are written. A part that is absent is left out; its extent along `axis` still
/// counts (give it a shape and present = false).
struct Split {
    int axis = 0;
    View x;
    std::vector<View> parts = {};
};
HEDDLE_API KernelTable<Split>& split();

enum class PadMode : std::uint8_t {
    constant,
    reflect,  ///< mirrored at the edge element, which is not repeated; pads are smaller than the extent
    edge      ///< the edge element repeated
};

/// y = x with `before[axis]` elements in front along each axis and what y's shape leaves behind it. Pads are never
/// negative (that is a `Slice`).
struct Pad {
    PadMode mode = PadMode::constant;
    double value = 0;  ///< of the constant, converted as by `Cast`
    std::array<std::int64_t, Shape::max_rank> before = {};
    View x;
    View y;
};
HEDDLE_API KernelTable<Pad>& pad();

/// dx = for each element of x the sum of dy over its copies; floating.
struct PadBackward {
    PadMode mode = PadMode::constant;
    std::array<std::int64_t, Shape::max_rank> before = {};
    View dy;
    View dx;
};
HEDDLE_API KernelTable<PadBackward>& pad_backward();

/// y[i, j, ...] = x[starts[0] + i * steps[0], starts[1] + j * steps[1], ...]. Steps may be negative (a flip starts at
/// the last element) but not 0; every index lies inside x.
struct Slice {
    std::array<std::int64_t, Shape::max_rank> starts = {};
    std::array<std::int64_t, Shape::max_rank> steps = {};
    View x;
    View y;
};
HEDDLE_API KernelTable<Slice>& slice();

/// dx = dy at the places that the slice reads, 0 elsewhere; any dtype.
struct SliceBackward {
    std::array<std::int64_t, Shape::max_rank> starts = {};
    std::array<std::int64_t, Shape::max_rank> steps = {};
    View dy;
    View dx;
};
HEDDLE_API KernelTable<SliceBackward>& slice_backward();

/// y = x repeated to the shape of y, which x broadcasts to.
struct BroadcastTo {
    View x;
    View y;
};
HEDDLE_API KernelTable<BroadcastTo>& broadcast_to();

/// y = x at `indices` along `axis`: y's shape is x's with the indices' shape in the place of `axis`. indices: i32 or
/// i64. One outside [0, extent) gives NaN, or 0 in types without it.
struct Gather {
    int axis = 0;
    View x;
    View indices;
    View y;
};
HEDDLE_API KernelTable<Gather>& gather();

/// dx = the sum of dy over the places where an element of x was taken, 0 where none was; in the order of the indices,
/// so that it is deterministic. Indices outside [0, extent) add nothing. Floating.
struct GatherBackward {
    int axis = 0;
    View indices;
    View dy;
    View dx;
};
HEDDLE_API KernelTable<GatherBackward>& gather_backward();

/// y[..., j] = x[..., indices[..., j]] along the last axis. x: [..., n]; indices and y: [..., k] with the same leading
/// extents; indices: i32 or i64. One outside [0, n) gives NaN, or 0 in types without it.
struct TakeAlong {
    View x;
    View indices;
    View y;
};
HEDDLE_API KernelTable<TakeAlong>& take_along();

/// dx[..., i] = the sum of dy[..., j] where indices[..., j] = i; those outside [0, n) add nothing. Floating.
struct TakeAlongBackward {
    View indices;
    View dy;
    View dx;
};
HEDDLE_API KernelTable<TakeAlongBackward>& take_along_backward();

/// y[..., c] = indices[...] == c ? 1 : 0. indices: i32 or i64; y: [..., classes], any dtype. An index outside [0,
/// classes) gives a row of zeros.
struct OneHot {
    View indices;
    View y;
};
HEDDLE_API KernelTable<OneHot>& one_hot();

}  // namespace heddle::kernels
