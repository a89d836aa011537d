#pragma once

#include <array>
#include <utility>

#include "kernels/elementwise/elementwise.h"
#include "kernels/native_map.h"

// What values and derivatives of the unary functions share.
HEDDLE_KERNELS_BEGIN

inline constexpr float selu_alpha = 1.6732632423543772848f, selu_scale = 1.0507009873554804934f;
inline constexpr float gelu_cubic = 0.044715f, two_sqrt_2_over_pi = 1.5957691216057307f;
inline constexpr std::size_t unary_ops = static_cast<std::size_t>(UnaryOp::softsign) + 1;

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
__device__ inline float normal_cumulative(float x) { return 0.5f * erfcf(-0.70710678118654752f * x); }
__device__ inline float normal_density(float x) { return 0.39894228040143268f * expf(-0.5f * x * x); }

HEDDLE_KERNELS_END
