#pragma once

#include <cmath>
#include <limits>

#include "core/dtype.h"
#include "ops/detail/scope.h"

// Private to ops/: which numbers an integer tensor can take beside itself.
namespace heddle::ops {

struct NumberRange {
    double lowest, highest;
};

/// The numbers of an integer or boolean type.
inline NumberRange range_of(DType dtype) {
    switch (dtype) {
        case DType::boolean:
            return {0, 1};
        case DType::u8:
            return {0, 255};
        case DType::i32:
            return {-0x1p31, 0x1p31 - 1};
        default:
            return {-0x1p63, 0x1p63 - 1024};  // the last double before 2^63
    }
}

/// Throws `Error` where a tensor of `dtype` could only hold a cut or wrapped `value`. (A boolean is a test against 0,
/// a floating type rounds.)
inline void require_number(const char* operation, double value, DType dtype) {
    if (is_floating(dtype) || dtype == DType::boolean) return;
    const NumberRange range = range_of(dtype);
    require(std::trunc(value) == value && range.lowest <= value && value <= range.highest, operation,
            "a tensor of {} cannot take the number {}: convert it with to(DType::f32)", dtype, value);
}

}  // namespace heddle::ops
