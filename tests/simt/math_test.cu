#include <algorithm>
#include <limits>

#include "tests/simt/simulate.h"

// The mathematical functions and intrinsics that CUDA has and C++ has not.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

TEST(Math, Bits) {
    EXPECT_EQ(__popc(0xf0f00001u), 9);
    EXPECT_EQ(__popcll(0xf0f00001ull << 20), 9);
    EXPECT_EQ(__clz(1), 31);
    EXPECT_EQ(__clz(0), 32);
    EXPECT_EQ(__clzll(1), 63);
    EXPECT_EQ(__ffs(0), 0);
    EXPECT_EQ(__ffs(0x50), 5);
    EXPECT_EQ(__ffsll(1ll << 40), 41);
    EXPECT_EQ(__brev(0x80000005u), 0xa0000001u);
    EXPECT_EQ(__byte_perm(0x33221100u, 0x77665544u, 0x7531u), 0x77553311u);
    EXPECT_EQ(__funnelshift_l(0x80000001u, 0x00000002u, 1), 5u);
    EXPECT_EQ(__funnelshift_r(0x80000001u, 0x00000003u, 1), 0xc0000000u);
    EXPECT_EQ(__umulhi(0xffffffffu, 0xffffffffu), 0xfffffffeu);
    EXPECT_EQ(__mulhi(-2, 3), -1);
    EXPECT_EQ(__umul64hi(1ull << 63, 6), 3u);
    EXPECT_EQ(__float_as_uint(-0.0f), 0x80000000u);
    EXPECT_EQ(__int_as_float(0x3f800000), 1.0f);
    EXPECT_EQ(__longlong_as_double(__double_as_longlong(2.5)), 2.5);
}

TEST(Math, ConversionsSaturate) {
    EXPECT_EQ(__float2int_rn(2.5f), 2);
    EXPECT_EQ(__float2int_rn(3.5f), 4);
    EXPECT_EQ(__float2int_rz(-2.9f), -2);
    EXPECT_EQ(__float2int_rd(-2.1f), -3);
    EXPECT_EQ(__float2int_ru(2.1f), 3);
    EXPECT_EQ(__float2int_rn(1e20f), std::numeric_limits<int>::max());
    EXPECT_EQ(__float2int_rn(-1e20f), std::numeric_limits<int>::min());
    EXPECT_EQ(__float2int_rn(nan_value), 0);
    EXPECT_EQ(__float2uint_rn(-1.0f), 0u);
    EXPECT_EQ(__float2uint_rz(4e9f), 4000000000u);
}

TEST(Math, LargerAndSmaller) {
    EXPECT_EQ(max(1, 2), 2);
    EXPECT_EQ(min(1.0f, 2.0), 1.0);
    EXPECT_EQ(max(3, 2.5f), 3.0f);
    EXPECT_EQ(max(nan_value, 1.0f), 1.0f);  // as fmaxf
    EXPECT_EQ(min(1.0f, nan_value), 1.0f);
    EXPECT_EQ(max(5u, 7ull), 7u);
    EXPECT_TRUE(std::isnan(Max{}(nan_value, 1.0f)));  // ours: a NaN wins
    EXPECT_TRUE(std::isnan(Max{}(1.0f, nan_value)));
}

TEST(Math, Functions) {
    EXPECT_FLOAT_EQ(rsqrtf(4.0f), 0.5f);
    EXPECT_FLOAT_EQ(__frsqrt_rn(16.0f), 0.25f);
    EXPECT_EQ(__saturatef(2.0f), 1.0f);
    EXPECT_EQ(__saturatef(-2.0f), 0.0f);
    EXPECT_EQ(__saturatef(0.25f), 0.25f);
    EXPECT_EQ(__saturatef(nan_value), 0.0f);
    EXPECT_FLOAT_EQ(normcdff(0.0f), 0.5f);
    EXPECT_NEAR(normcdff(1.0f), 0.841345f, 1e-6f);
    EXPECT_FLOAT_EQ(__expf(1.0f), std::exp(1.0f));
    EXPECT_FLOAT_EQ(__logf(3.0f), std::log(3.0f));
    EXPECT_FLOAT_EQ(__powf(3.0f, 2.0f), 9.0f);
    EXPECT_FLOAT_EQ(__fdividef(1.0f, 4.0f), 0.25f);
    EXPECT_FLOAT_EQ(rcbrtf(8.0f), 0.5f);
    EXPECT_EQ(__fmaf_rn(2.0f, 3.0f, 4.0f), 10.0f);
    float sine = 0, cosine = 0;
    __sincosf(0.5f, &sine, &cosine);
    EXPECT_FLOAT_EQ(sine, std::sin(0.5f));
    EXPECT_FLOAT_EQ(cosine, std::cos(0.5f));
    sincospif(0.5f, &sine, &cosine);
    EXPECT_FLOAT_EQ(sine, 1.0f);
    EXPECT_NEAR(cosine, 0.0f, 1e-7f);
    EXPECT_EQ(__expf(infinity), infinity);
}

/// Explicit fmaf is fused in every build, a * b + c never is (CMakeLists.txt of kernels/simt says why).
__global__ void contract(float a, float b, float c, float* y) {
    y[0] = fmaf(a, b, c);
    y[1] = a * b + c;
}

TEST(Math, OnlyFmafIsFused) {
    const float a = 1.0f + 0x1p-12f, exact = a * a;  // a * a needs 25 bits
    float y[2] = {};
    launch(contract, 1, 1, 0, here, a, a, -exact, y);
    EXPECT_EQ(y[0], 0x1p-24f);
    EXPECT_EQ(y[1], 0.0f);
}

template <class T>
class Half : public ::testing::Test {};
using Halves = ::testing::Types<__half, __nv_bfloat16>;
TYPED_TEST_SUITE(Half, Halves);

TYPED_TEST(Half, WhatHostsLack) {
    const auto of = [](float value) { return from_f32<TypeParam>(value); };
    EXPECT_EQ(to_f32(__hfma(of(2), of(3), of(4))), 10.0f);
    EXPECT_EQ(to_f32(hexp(of(0))), 1.0f);
    EXPECT_EQ(to_f32(hsqrt(of(9))), 3.0f);
    EXPECT_EQ(to_f32(hrsqrt(of(4))), 0.5f);
    EXPECT_EQ(to_f32(hlog2(of(8))), 3.0f);
    EXPECT_EQ(to_f32(htrunc(of(-2.5f))), -2.0f);
    EXPECT_EQ(to_f32(hrint(of(2.5f))), 2.0f);
    // A product that rounds to the nearest twice as it would once: the addend decides.
    const float one_up = 1.0f + (std::is_same_v<TypeParam, __half> ? 0x1p-10f : 0x1p-7f);
    const float fused = std::fma(one_up, one_up, -1.0f);
    EXPECT_EQ(to_f32(__hfma(of(one_up), of(one_up), of(-1.0f))), to_f32(of(fused)));
}

TEST(Half, PairsOnHosts) {
    const __half2 sum = __hfma2(__floats2half2_rn(1, 2), __floats2half2_rn(3, 4), __floats2half2_rn(5, 6));
    EXPECT_EQ(__low2float(sum), 8.0f);
    EXPECT_EQ(__high2float(sum), 14.0f);
    EXPECT_EQ(__high2float(h2sqrt(__floats2half2_rn(4, 9))), 3.0f);
}

}  // namespace
HEDDLE_KERNELS_END
