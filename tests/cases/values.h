#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "tests/cases/case.h"

// The elements of operands as f64 numbers, whatever they are stored as.
namespace heddle::cases {

/// The nearest number that a floating dtype holds; other dtypes leave the value as it is.
double round_to(double value, DType dtype);

/// Element `index` of an array of this dtype.
double load(const void* memory, std::int64_t index, DType dtype);
void store(void* memory, std::int64_t index, DType dtype, double value);

/// A random value for element `index` of a problem's operand number `operand`: the same in every run.
double draw(Fill fill, std::uint64_t operand, std::uint64_t index);
/// Likewise a whole number, low <= value < high.
std::int64_t draw_integer(std::int64_t low, std::int64_t high, std::uint64_t operand, std::uint64_t index);

}  // namespace heddle::cases
