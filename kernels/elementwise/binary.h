#pragma once

#include <cstdint>

#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

enum class BinaryOp : std::uint8_t {
    add,
    subtract,
    multiply,
    divide,
    maximum,
    minimum,
    power,
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    logical_and,
    logical_or
};

/// Comparisons and logical operations give boolean results.
constexpr bool gives_boolean(BinaryOp op) { return op >= BinaryOp::equal; }

/// y = a op b with numpy's broadcasting: y has the broadcast shape. a and b: the same dtype, floating, i32, i64, u8 or
/// boolean; y: the same, or boolean for comparisons and logical operations. y may be a or b where the shapes agree.
///
/// Here and in all contracts floating is f32 and f64 on the CPU, f32, f16 and bf16 on devices; 16 bits are computed in
/// f32 and rounded at the end.
///
/// maximum and minimum hand on a NaN. Integer arithmetic wraps around; integer division truncates and gives 0 for a
/// zero divisor; an integer to a negative power is 0 unless the base is 1 or -1. logical_and and logical_or test
/// against zero.
struct Binary {
    BinaryOp op = BinaryOp::add;
    View a;
    View b;
    View y;
};
HEDDLE_API KernelTable<Binary>& binary();

/// y = x op scalar, or scalar op x where `scalar_first`; the scalar is first converted to the dtype of x. Dtypes,
/// shapes and meaning as in `Binary`; y may be x.
struct ScalarBinary {
    BinaryOp op = BinaryOp::add;
    double scalar = 0;
    bool scalar_first = false;
    View x;
    View y;
};
HEDDLE_API KernelTable<ScalarBinary>& scalar_binary();

/// y = alpha * x + beta * y, in place: joins gradients (alpha = beta = 1). x and y: one shape, floating; y has the
/// dtype of x, or (on devices, and in the reference) is f64 where x is f32: a sum over many steps. beta = 0 does not
/// read y.
struct ScaleAdd {
    float alpha = 1;
    float beta = 1;
    View x;
    View y;
};
HEDDLE_API KernelTable<ScaleAdd>& scale_add();

}  // namespace heddle::kernels
