#include "core/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "core/error.h"

namespace {

using namespace heddle;

constexpr DType all[] = {DType::f32, DType::f16, DType::bf16, DType::f64,
                         DType::i32, DType::i64, DType::u8,   DType::boolean};

float from_bits(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }

/// The definition of binary16, without the compiler's conversions.
double value_of_half(std::uint32_t bits) {
    const double sign = bits & 0x8000 ? -1 : 1;
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const double fraction = bits & 1023;
    if (exponent == 31) return fraction > 0 ? NAN : sign * INFINITY;
    return exponent == 0 ? sign * std::ldexp(fraction, -24) : sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(DType, NamesRoundTrip) {
    for (const DType dtype : all) EXPECT_EQ(parse_dtype(to_string(dtype)), dtype);
    EXPECT_THROW(parse_dtype("float"), Error);
    EXPECT_THROW(parse_dtype(""), Error);
}

TEST(DType, Sizes) {
    EXPECT_EQ(size_of(DType::f64), sizeof(double));
    EXPECT_EQ(size_of(DType::f32), sizeof(float));
    EXPECT_EQ(size_of(DType::bf16), sizeof(BFloat16));
    EXPECT_EQ(size_of(DType::f16), sizeof(Half));
    EXPECT_EQ(size_of(DType::boolean), sizeof(bool));
    EXPECT_TRUE(is_floating(DType::f64));
    EXPECT_FALSE(is_floating(DType::i32));
    EXPECT_FALSE(is_floating(DType::boolean));
}

TEST(DType, PromotionIsSymmetricAndIdempotent) {
    for (const DType a : all)
        for (const DType b : all) {
            EXPECT_EQ(promote(a, b), promote(b, a));
            EXPECT_EQ(promote(a, a), a);
            EXPECT_EQ(promote(promote(a, b), b), promote(a, b));
            if (is_floating(a) || is_floating(b))
                EXPECT_TRUE(is_floating(promote(a, b)));
            else
                EXPECT_GE(size_of(promote(a, b)), std::max(size_of(a), size_of(b)));
        }
    EXPECT_EQ(promote(DType::f16, DType::bf16), DType::f32);
    EXPECT_EQ(promote(DType::f16, DType::i64), DType::f16);
    EXPECT_EQ(promote(DType::f32, DType::f64), DType::f64);
    EXPECT_EQ(promote(DType::f16, DType::f32), DType::f32);
    EXPECT_EQ(promote(DType::u8, DType::i32), DType::i32);
    EXPECT_EQ(promote(DType::boolean, DType::u8), DType::u8);
}

TEST(Half, EveryValueConverts) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
        const Half half{static_cast<std::uint16_t>(bits)};
        const float value = to_float(half);
        const double want = value_of_half(bits);
        if (std::isnan(want)) {
            EXPECT_TRUE(std::isnan(value));
            EXPECT_TRUE(std::isnan(to_float(to_half(value))));
        } else {
            ASSERT_EQ(static_cast<double>(value), want) << bits;
            ASSERT_EQ(std::signbit(value), (bits & 0x8000) != 0) << bits;
            ASSERT_EQ(to_half(value).bits, bits);
        }
    }
}

// Between two neighbours: below the middle the lower, above it the upper, at it the even one.
TEST(Half, RoundsToNearestEven) {
    for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {
        const double low = value_of_half(bits);
        const double high = bits == 0x7BFF ? 65536.0 : value_of_half(bits + 1);
        const float middle = static_cast<float>((low + high) / 2);
        const std::uint32_t even = bits & 1 ? bits + 1 : bits;
        ASSERT_EQ(to_half(middle).bits, even) << bits;
        ASSERT_EQ(to_half(std::nextafter(middle, 0.0f)).bits, bits);
        ASSERT_EQ(to_half(std::nextafter(middle, INFINITY)).bits, bits + 1);
        ASSERT_EQ(to_half(-middle).bits, even | 0x8000);
    }
    EXPECT_EQ(to_half(1e30f).bits, 0x7C00);
    EXPECT_EQ(to_half(-INFINITY).bits, 0xFC00);
    EXPECT_EQ(to_half(1e-30f).bits, 0);
}

TEST(BFloat16, EveryValueConverts) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
        const float value = to_float(BFloat16{static_cast<std::uint16_t>(bits)});
        if (std::isnan(value))
            EXPECT_TRUE(std::isnan(to_float(to_bfloat16(value))));
        else
            ASSERT_EQ(to_bfloat16(value).bits, bits);
    }
}

TEST(BFloat16, RoundsToNearestEven) {
    for (std::uint32_t bits = 0; bits < 0x7F80; ++bits) {
        const std::uint32_t middle = bits << 16 | 0x8000;
        ASSERT_EQ(to_bfloat16(from_bits(middle)).bits, bits & 1 ? bits + 1 : bits);
        ASSERT_EQ(to_bfloat16(from_bits(middle - 1)).bits, bits);
        ASSERT_EQ(to_bfloat16(from_bits(middle + 1)).bits, bits + 1);
        ASSERT_EQ(to_bfloat16(-from_bits(middle + 1)).bits, (bits + 1) | 0x8000);
    }
    EXPECT_EQ(to_bfloat16(INFINITY).bits, 0x7F80);
    // The smallest NaN: dropping the low bits must not make it an infinity.
    EXPECT_TRUE(std::isnan(to_float(to_bfloat16(from_bits(0x7F800001)))));
}

}  // namespace
