#pragma once

#include <cstdint>
#include <string_view>

#include "core/dtype.h"
#include "core/export.h"

namespace heddle {

/// The type that layers compute in. Parameters, their gradients, statistics and losses are f32 in all three; f16 scales
/// the loss so that small gradients do not vanish, by a factor that follows what the gradients bear.
enum class Precision : std::uint8_t { f32, bf16, f16 };

constexpr DType compute_dtype(Precision precision) {
    return precision == Precision::bf16 ? DType::bf16 : precision == Precision::f16 ? DType::f16 : DType::f32;
}

/// "f32", "bf16", "f16".
HEDDLE_API std::string_view to_string(Precision precision);
/// Throws `Error` that lists the names there are.
HEDDLE_API Precision parse_precision(std::string_view name);

}  // namespace heddle
