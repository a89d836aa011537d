#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/export.h"

namespace heddle {

/// Element types. f64 runs on the CPU only, for gradient checks and reference results.
enum class DType : std::uint8_t { f32, f16, bf16, f64, i32, i64, u8, boolean };

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
    switch (dtype) {
        case DType::f64:
        case DType::i64:
            return 8;
        case DType::f32:
        case DType::i32:
            return 4;
        case DType::f16:
        case DType::bf16:
            return 2;
        case DType::u8:
        case DType::boolean:
            return 1;
    }
    return 0;
}

constexpr bool is_floating(DType dtype) { return dtype <= DType::f64; }

/// What statistics, losses and master weights are kept in beside elements of `dtype`: f32 for types of 16 bits.
constexpr DType wide(DType dtype) { return is_floating(dtype) && size_of(dtype) == 2 ? DType::f32 : dtype; }

/// "f32", "bf16", ...: the names used in messages, files and options.
HEDDLE_API std::string_view to_string(DType dtype);
/// The inverse of `to_string`; throws `Error` for an unknown name.
HEDDLE_API DType parse_dtype(std::string_view name);

/// The type of `a op b`: the wider floating type wins over narrower ones and over integers; i64 over i32 over u8 over
/// boolean; f16 with bf16 gives f32.
HEDDLE_API DType promote(DType a, DType b);

/// Half-precision storage types. Arithmetic happens in float; these only convert (round to nearest even).
struct Half {
    std::uint16_t bits = 0;
};
struct BFloat16 {
    std::uint16_t bits = 0;
};
HEDDLE_API float to_float(Half value);
HEDDLE_API Half to_half(float value);
constexpr float to_float(BFloat16 value) { return __builtin_bit_cast(float, std::uint32_t{value.bits} << 16); }
HEDDLE_API BFloat16 to_bfloat16(float value);

/// Maps a C++ type to its `DType`: `dtype_of<float>` is `DType::f32`.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
    static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
    static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<Half> {
    static constexpr DType value = DType::f16;
};
template <>
struct DTypeOf<BFloat16> {
    static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<std::int32_t> {
    static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::int64_t> {
    static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<std::uint8_t> {
    static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<bool> {
    static constexpr DType value = DType::boolean;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

}  // namespace heddle
