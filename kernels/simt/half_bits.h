#pragma once

#include <bit>
#include <cstdint>

// For the emulated matrix instructions: 16-bit formats from their bits.
namespace heddle::simt {

inline float from_bf16(std::uint32_t bits) { return std::bit_cast<float>(bits << 16); }

/// Exact; the exponent is rebased by a multiplication, which makes subnormal numbers normal, too.
inline float from_f16(std::uint32_t bits) {
    const std::uint32_t sign = (bits & 0x8000u) << 16, rest = (bits & 0x7fffu) << 13;
    if ((bits & 0x7c00u) == 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | rest);
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(std::bit_cast<float>(rest) * 0x1p112f));
}

}  // namespace heddle::simt
