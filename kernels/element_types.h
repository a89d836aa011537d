#pragma once

#include <cstdint>
#include <type_traits>

#include "core/dtype.h"

// From a dtype at run time to a C++ type.
namespace heddle::kernels {

/// Calls `body(T{})` with the type of arithmetic on `dtype`: f32, f64, i32, i64, u8; boolean counts as u8 (0 or 1).
/// Not for f16 and bf16, which are storage only.
template <class Body>
decltype(auto) with_number_type(DType dtype, const Body& body) {
    switch (dtype) {
        case DType::f64:
            return body(double{});
        case DType::i32:
            return body(std::int32_t{});
        case DType::i64:
            return body(std::int64_t{});
        case DType::u8:
        case DType::boolean:
            return body(std::uint8_t{});
        default:
            return body(float{});
    }
}

/// Calls `body(T{})` with the storage type of `dtype` (bool for boolean, Half, BFloat16).
template <class Body>
decltype(auto) with_storage_type(DType dtype, const Body& body) {
    switch (dtype) {
        case DType::f16:
            return body(Half{});
        case DType::bf16:
            return body(BFloat16{});
        case DType::boolean:
            return body(bool{});
        default:
            return with_number_type(dtype, body);
    }
}

/// Calls `body(U{})` with an unsigned integer of the dtype's size: for operations that only move elements.
template <class Body>
decltype(auto) with_bits_type(DType dtype, const Body& body) {
    switch (size_of(dtype)) {
        case 1:
            return body(std::uint8_t{});
        case 2:
            return body(std::uint16_t{});
        case 4:
            return body(std::uint32_t{});
        default:
            return body(std::uint64_t{});
    }
}

/// `value` as a `To`: to boolean is a test against zero, to an integer truncates (a value beyond its range gives an
/// unspecified one), to f16 and bf16 rounds to nearest even by way of f32.
template <class To, class From>
To convert(From value) {
    if constexpr (std::is_same_v<To, From>) {
        return value;
    } else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
        return convert<To>(to_float(value));
    } else if constexpr (std::is_same_v<To, Half>) {
        return to_half(static_cast<float>(value));
    } else if constexpr (std::is_same_v<To, BFloat16>) {
        return to_bfloat16(static_cast<float>(value));
    } else if constexpr (std::is_same_v<To, bool>) {
        return value != From{};
    } else {
        return static_cast<To>(value);
    }
}

}  // namespace heddle::kernels
