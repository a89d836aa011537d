#include "core/dtype.h"

#include <array>

#include "core/check.h"

namespace heddle {
namespace {

constexpr std::array<std::string_view, 8> names = {"f32", "f16", "bf16", "f64", "i32", "i64", "u8", "boolean"};

}  // namespace

std::string_view to_string(DType dtype) { return names[static_cast<std::size_t>(dtype)]; }

DType parse_dtype(std::string_view name) {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == name) return static_cast<DType>(i);
    fail(fmt::format("unknown dtype \"{}\": expected one of {}", name, fmt::join(names, ", ")));
}

DType promote(DType a, DType b) {
    if (a == b) return a;
    if (is_floating(a) != is_floating(b)) return is_floating(a) ? a : b;
    if (is_floating(a)) return a == DType::f64 || b == DType::f64 ? DType::f64 : DType::f32;
    for (const DType wide : {DType::i64, DType::i32, DType::u8})
        if (a == wide || b == wide) return wide;
    return DType::boolean;
}

float to_float(Half value) { return static_cast<float>(__builtin_bit_cast(_Float16, value.bits)); }
Half to_half(float value) { return {__builtin_bit_cast(std::uint16_t, static_cast<_Float16>(value))}; }

BFloat16 to_bfloat16(float value) {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
    if (value != value) return {static_cast<std::uint16_t>((bits >> 16) | 0x40)};  // keep NaN a (quiet) NaN
    return {static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)};
}

}  // namespace heddle
