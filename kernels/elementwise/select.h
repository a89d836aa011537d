#pragma once

#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

/// y = condition ? a : b, element by element. condition: boolean; a, b and y: one dtype, any; all three broadcast to
/// the shape of y.
struct Where {
    View condition;
    View a;
    View b;
    View y;
};
HEDDLE_API KernelTable<Where>& where();

/// y = x in the dtype of y; one shape, any two dtypes (no f64 on devices). To boolean is a test against zero (NaN is
/// true); to an integer truncates, and a value beyond its range gives an unspecified one; to f16 and bf16 rounds to
/// nearest even.
struct Cast {
    View x;
    View y;
};
HEDDLE_API KernelTable<Cast>& cast();

/// Every element of y = value, converted as by `Cast`; any dtype.
struct Fill {
    double value = 0;
    View y;
};
HEDDLE_API KernelTable<Fill>& fill();

/// y = min(max(x, low), high); NaN stays NaN; floating; y may be x.
struct Clip {
    double low = 0;
    double high = 0;
    View x;
    View y;
};
HEDDLE_API KernelTable<Clip>& clip();

/// dx = low <= x <= high ? dy : 0; floating; dx may be dy.
struct ClipBackward {
    double low = 0;
    double high = 0;
    View x;
    View dy;
    View dx;
};
HEDDLE_API KernelTable<ClipBackward>& clip_backward();

}  // namespace heddle::kernels
