#pragma once

#include "core/check.h"
#include "core/dtype.h"
#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

/// What every `reference` supports: f32 and f64.
inline Support float_or_double(DType dtype) {
    if (dtype == DType::f32 || dtype == DType::f64) return Support::yes();
    return Support::no(fmt::format("dtype {} (only f32 and f64)", to_string(dtype)));
}

inline Support only_f32(DType dtype) {
    if (dtype == DType::f32) return Support::yes();
    return Support::no(fmt::format("dtype {} (only f32)", to_string(dtype)));
}

/// Calls `body(T{})` with T = float or double.
template <class Body>
void with_float_type(DType dtype, const Body& body) {
    if (dtype == DType::f64)
        body(double{});
    else
        body(float{});
}

}  // namespace heddle::kernels
