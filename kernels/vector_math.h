#pragma once

#include <cstdint>

// Branch-free float functions that compilers vectorise inside HEDDLE_SIMD_CLONES functions (libm's do not).
namespace heddle::kernels::vec {

/// e^x; relative error below 2e-7 (about 1.5 units in the last place); 0 below -87.3 (a denormal would be flushed),
/// +inf above 88.72; NaN stays NaN.
inline float exp(float x) {
    const float clamped = x < -87.33654f ? -87.33654f : (x > 88.72283f ? 88.72283f : x);
    const float n = __builtin_rintf(clamped * 1.44269504f);
    // Cody and Waite: n * ln 2 in two parts keeps the reduced argument exact.
    const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    // Two steps of scaling reach 2^128 without overflowing the exponent field.
    const std::int32_t e = static_cast<std::int32_t>(n), half = e >> 1;
    const float s1 = __builtin_bit_cast(float, (half + 127) << 23),
                s2 = __builtin_bit_cast(float, (e - half + 127) << 23);
    const float y = p * s1 * s2;
    const float low = x < -87.33654f ? 0.0f : y;
    return x > 88.72283f ? __builtin_inff() : (x != x ? x : low);
}

}  // namespace heddle::kernels::vec
