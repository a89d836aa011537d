#pragma once

// What NVIDIA's headers for f16 and bf16 have for devices only (included by sim.h): computed in f32 and rounded, which
// is exact for each of them but the fused ones, where f32 rounds first.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>

inline __half __hfma(__half a, __half b, __half c) {
    // The product is exact in f64, and so is the sum but for cases that f16 cannot tell apart.
    return __double2half(static_cast<double>(__half2float(a)) * __half2float(b) + __half2float(c));
}
inline __nv_bfloat16 __hfma(__nv_bfloat16 a, __nv_bfloat16 b, __nv_bfloat16 c) {
    return __double2bfloat16(static_cast<double>(__bfloat162float(a)) * __bfloat162float(b) + __bfloat162float(c));
}

/// A function of one number for both formats, and for pairs of them.
#define HEDDLE_SIMT_HALF_FUNCTION(name, pair_name, expression)                             \
    inline __half name(__half value) {                                                     \
        const float x = __half2float(value);                                               \
        return __float2half_rn(expression);                                                \
    }                                                                                      \
    inline __nv_bfloat16 name(__nv_bfloat16 value) {                                       \
        const float x = __bfloat162float(value);                                           \
        return __float2bfloat16_rn(expression);                                            \
    }                                                                                      \
    inline __half2 pair_name(__half2 pair) { return __half2(name(pair.x), name(pair.y)); } \
    inline __nv_bfloat162 pair_name(__nv_bfloat162 pair) { return __nv_bfloat162(name(pair.x), name(pair.y)); }

HEDDLE_SIMT_HALF_FUNCTION(hexp, h2exp, std::exp(x))
HEDDLE_SIMT_HALF_FUNCTION(hexp2, h2exp2, std::exp2(x))
HEDDLE_SIMT_HALF_FUNCTION(hlog, h2log, std::log(x))
HEDDLE_SIMT_HALF_FUNCTION(hlog2, h2log2, std::log2(x))
HEDDLE_SIMT_HALF_FUNCTION(hsqrt, h2sqrt, std::sqrt(x))
HEDDLE_SIMT_HALF_FUNCTION(hrsqrt, h2rsqrt, 1.0f / std::sqrt(x))
HEDDLE_SIMT_HALF_FUNCTION(hrcp, h2rcp, 1.0f / x)
HEDDLE_SIMT_HALF_FUNCTION(hsin, h2sin, std::sin(x))
HEDDLE_SIMT_HALF_FUNCTION(hcos, h2cos, std::cos(x))
HEDDLE_SIMT_HALF_FUNCTION(htanh, h2tanh, std::tanh(x))
HEDDLE_SIMT_HALF_FUNCTION(hfloor, h2floor, std::floor(x))
HEDDLE_SIMT_HALF_FUNCTION(hceil, h2ceil, std::ceil(x))
HEDDLE_SIMT_HALF_FUNCTION(hrint, h2rint, std::nearbyint(x))
HEDDLE_SIMT_HALF_FUNCTION(htrunc, h2trunc, std::trunc(x))
#undef HEDDLE_SIMT_HALF_FUNCTION

inline __half2 __hfma2(__half2 a, __half2 b, __half2 c) {
    return __half2(__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y));
}
inline __nv_bfloat162 __hfma2(__nv_bfloat162 a, __nv_bfloat162 b, __nv_bfloat162 c) {
    return __nv_bfloat162(__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y));
}
