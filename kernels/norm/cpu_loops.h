#pragma once

#include "kernels/bf16_memory.h"
#include "kernels/strips.h"

namespace heddle::kernels {

// Loops over `count` elements, whole rows that begin at a strip's first; the last strip may be incomplete. `mean`,
// `factor`, ... are strips. Each is there for both types that the tensors have in memory.

/// sum[j] += x over the strips.
void add_values(const Strips& strips, std::int64_t count, const float* x, float* sum);
void add_values(const Strips& strips, std::int64_t count, const BFloat16* x, float* sum);
/// sum[j] += x - pivot[j]; squares[j] += (x - pivot[j])².
void add_moments(const Strips& strips, std::int64_t count, const float* x, const float* pivot, float* sum,
                 float* squares);
void add_moments(const Strips& strips, std::int64_t count, const BFloat16* x, const float* pivot, float* sum,
                 float* squares);
/// y = max((x - mean) * factor + shift + residual, floor); residual may be null; y may be x or residual. NaN stays NaN.
void normalize(const Strips& strips, std::int64_t count, const float* x, const float* residual, const float* mean,
               const float* factor, const float* shift, float floor, float* y);
void normalize(const Strips& strips, std::int64_t count, const BFloat16* x, const BFloat16* residual, const float* mean,
               const float* factor, const float* shift, float floor, BFloat16* y);
/// Where g is dy, and where 0: by y > 0, by signs of y that `find_signs` left (element `first` is the first), or, with
/// neither, dy everywhere. Signs take 1/32 of y's memory. They need strips of whole vectors, a multiple of 16 elements.
template <class T>
struct Mask {
    const T* y = nullptr;
    const std::uint32_t* signs = nullptr;
    std::int64_t first = 0;  ///< a multiple of 16
};
/// How many words hold the signs of `count` elements.
constexpr std::int64_t sign_words(std::int64_t count) { return (count + 511) / 512 * 16; }
void find_signs(std::int64_t count, const float* y, std::uint32_t* signs);
void find_signs(std::int64_t count, const BFloat16* y, std::uint32_t* signs);

/// sum += g, products += g * (x - mean), and masked = g unless null.
void add_gradients(const Strips& strips, std::int64_t count, const float* x, const Mask<float>& mask, const float* dy,
                   const float* mean, float* sum, float* products, float* masked);
void add_gradients(const Strips& strips, std::int64_t count, const BFloat16* x, const Mask<BFloat16>& mask,
                   const BFloat16* dy, const float* mean, float* sum, float* products, BFloat16* masked);
/// dx = factor * g - (x - mean) * slope - constant.
void data_gradient(const Strips& strips, std::int64_t count, const float* x, const Mask<float>& mask, const float* dy,
                   const float* mean, const float* factor, const float* slope, const float* constant, float* dx);
void data_gradient(const Strips& strips, std::int64_t count, const BFloat16* x, const Mask<BFloat16>& mask,
                   const BFloat16* dy, const float* mean, const float* factor, const float* slope,
                   const float* constant, BFloat16* dx);
/// dx = factor * g, with g = dy where y > 0, else 0 (y null: g = dy).
void scaled_gradient(const Strips& strips, std::int64_t count, const float* y, const float* dy, const float* factor,
                     float* dx);
void scaled_gradient(const Strips& strips, std::int64_t count, const BFloat16* y, const BFloat16* dy,
                     const float* factor, BFloat16* dx);

/// total[c] = the sum of a strip over its rows.
void fold(const Strips& strips, const float* strip, double* total);

}  // namespace heddle::kernels
