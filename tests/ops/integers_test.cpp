#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tests/devices.h"

// Integers and booleans beside numbers and in functions of real ones: the types and values that PyTorch gives.
namespace heddle {
namespace {

using namespace ops;
using Floats = std::vector<float>;
using Integers = std::vector<std::int64_t>;
using Bits = std::vector<std::uint8_t>;

constexpr double infinity = std::numeric_limits<double>::infinity();

class OpsIntegers : public testing::TestWithParam<Device> {
  protected:
    Tensor integers(const Integers& values, DType dtype = DType::i64) const {
        return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())}).to(dtype).to(GetParam());
    }
};

INSTANTIATE_TEST_SUITE_P(Cpu, OpsIntegers, testing::Values(Device::cpu()), device_name<testing::TestParamInfo<Device>>);
INSTANTIATE_TEST_SUITE_P(Devices, OpsIntegers, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OpsIntegers);

Floats floats(const Tensor& x) {
    EXPECT_EQ(x.dtype(), DType::f32);
    return x.to_vector<float>();
}
Integers whole(const Tensor& x, DType dtype = DType::i64) {
    EXPECT_EQ(x.dtype(), dtype);
    return x.to_vector<std::int64_t>();
}
Bits bits(const Tensor& x) {
    EXPECT_EQ(x.dtype(), DType::boolean);
    return x.to_vector<std::uint8_t>();
}

TEST_P(OpsIntegers, AreDividedAsRealNumbers) {
    for (const DType dtype : {DType::i64, DType::i32, DType::u8}) {
        const Tensor x = integers({0, 1, 2, 7}, dtype);
        EXPECT_EQ(floats(x / 2.0), (Floats{0, 0.5f, 1, 3.5f}));
        EXPECT_EQ(floats(x / 0.5), (Floats{0, 2, 4, 14}));
        EXPECT_EQ(floats(7.0 / x), (Floats{std::numeric_limits<float>::infinity(), 7, 3.5f, 1}));
        EXPECT_EQ(floats(x / integers({4, 4, 4, 2}, dtype)), (Floats{0, 0.25f, 0.5f, 3.5f}));
    }
    EXPECT_EQ(floats(integers({-7, 1}) / integers({2, 4}, DType::i32)), (Floats{-3.5f, 0.25f}));
    const Tensor flags = integers({1, 0}, DType::boolean);
    EXPECT_EQ(floats(flags / 2.0), (Floats{0.5f, 0}));
    EXPECT_EQ(floats(flags / integers({4, 4})), (Floats{0.25f, 0}));
    EXPECT_EQ((integers({1}) / Tensor::ones({1}, {DType::bf16, GetParam()})).dtype(), DType::bf16);
}

TEST_P(OpsIntegers, FloorDivideRoundsDown) {
    const Tensor a = integers({7, -7, 7, -7, 6, -6, 0}), b = integers({2, 2, -2, -2, 3, 3, 5});
    EXPECT_EQ(whole(floor_divide(a, b)), (Integers{3, -4, -4, 3, 2, -2, 0}));
    EXPECT_EQ(whole(floor_divide(a, 2)), (Integers{3, -4, 3, -4, 3, -3, 0}));
    EXPECT_EQ(whole(floor_divide(integers({255, 7}, DType::u8), 2), DType::u8), (Integers{127, 3}));
    EXPECT_EQ(whole(floor_divide(integers({std::int64_t{1} << 53, 9}), integers({1, 2}, DType::i32))),
              (Integers{std::int64_t{1} << 53, 4}));
    EXPECT_EQ(floats(floor_divide(a.to(DType::f32), 2)), (Floats{3, -4, 3, -4, 3, -3, 0}));
    // Quotients that bf16 would round up: 254.67, 72.86 and -253.33.
    const Tensor narrow = Tensor::from<float>({764, 510, -760}, Shape{3}).to(DType::bf16).to(GetParam()),
                 divisor = Tensor::from<float>({3, 7, 3}, Shape{3}).to(DType::bf16).to(GetParam());
    EXPECT_EQ(floor_divide(narrow, divisor).to_vector<float>(), (Floats{254, 72, -254}));
    EXPECT_EQ(floor_divide(narrow, 3).to_vector<float>(), (Floats{254, 170, -254}));
    EXPECT_EQ(floor_divide(narrow, divisor).dtype(), DType::bf16);
}

TEST_P(OpsIntegers, AreComparedWithAnyNumber) {
    const Tensor x = integers({-1, 0, 1, 2});
    EXPECT_EQ(bits(greater(x, 0.5)), (Bits{0, 0, 1, 1}));
    EXPECT_EQ(bits(greater_equal(x, 0.5)), (Bits{0, 0, 1, 1}));
    EXPECT_EQ(bits(less(x, 0.5)), (Bits{1, 1, 0, 0}));
    EXPECT_EQ(bits(less_equal(x, -0.5)), (Bits{1, 0, 0, 0}));
    EXPECT_EQ(bits(less(x, -0.5)), (Bits{1, 0, 0, 0}));
    EXPECT_EQ(bits(equal(x, 0.5)), (Bits{0, 0, 0, 0}));
    EXPECT_EQ(bits(not_equal(x, 0.5)), (Bits{1, 1, 1, 1}));
    EXPECT_EQ(bits(less(x, 1)), (Bits{1, 1, 0, 0}));
    EXPECT_EQ(bits(less_equal(x, 1)), (Bits{1, 1, 1, 0}));
    EXPECT_EQ(bits(equal(x, 1)), (Bits{0, 0, 1, 0}));
    // With the number first.
    EXPECT_EQ(bits(binary(BinaryOp::less, x, 0.5, true)), (Bits{0, 0, 1, 1}));
    EXPECT_EQ(bits(binary(BinaryOp::less_equal, x, 1, true)), (Bits{0, 0, 1, 1}));
    EXPECT_EQ(bits(binary(BinaryOp::greater, x, 0.5, true)), (Bits{1, 1, 0, 0}));
    EXPECT_EQ(bits(binary(BinaryOp::greater_equal, x, 1, true)), (Bits{1, 1, 1, 0}));
    EXPECT_EQ(bits(binary(BinaryOp::equal, x, 2, true)), (Bits{0, 0, 0, 1}));
    // A number with a fraction is true.
    EXPECT_EQ(bits(logical_and(x, integers({1, 1, 1, 0}))), (Bits{1, 0, 1, 0}));
    EXPECT_EQ(bits(binary(BinaryOp::logical_and, x, 0.5)), (Bits{1, 0, 1, 1}));
}

TEST_P(OpsIntegers, AreComparedWithNumbersBeyondTheirType) {
    const Tensor byte = integers({0, 255}, DType::u8), flags = integers({0, 1}, DType::boolean);
    for (const Tensor& x : {byte, flags, byte.to(DType::i32), byte.to(DType::i64)}) {
        for (const double large : {1e30, infinity}) {
            EXPECT_EQ(bits(less(x, large)), (Bits{1, 1}));
            EXPECT_EQ(bits(less_equal(x, large)), (Bits{1, 1}));
            EXPECT_EQ(bits(greater(x, large)), (Bits{0, 0}));
            EXPECT_EQ(bits(equal(x, large)), (Bits{0, 0}));
            EXPECT_EQ(bits(not_equal(x, large)), (Bits{1, 1}));
            EXPECT_EQ(bits(greater(x, -large)), (Bits{1, 1}));
            EXPECT_EQ(bits(less_equal(x, -large)), (Bits{0, 0}));
        }
        EXPECT_EQ(bits(less(x, NAN)), (Bits{0, 0}));
        EXPECT_EQ(bits(greater_equal(x, NAN)), (Bits{0, 0}));
        EXPECT_EQ(bits(equal(x, NAN)), (Bits{0, 0}));
        EXPECT_EQ(bits(not_equal(x, NAN)), (Bits{1, 1}));
    }
    EXPECT_EQ(bits(greater_equal(byte, -1)), (Bits{1, 1}));
    EXPECT_EQ(bits(less(byte, 256)), (Bits{1, 1}));
    EXPECT_EQ(bits(less(flags, 2)), (Bits{1, 1}));
    EXPECT_EQ(bits(equal(flags, 1)), (Bits{0, 1}));
    EXPECT_EQ(bits(greater(flags, 0.5)), (Bits{0, 1}));
    const std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    EXPECT_EQ(bits(less(integers({highest, -highest - 1}), 0x1p63)), (Bits{1, 1}));
    EXPECT_EQ(bits(greater_equal(integers({highest, -highest - 1}), -0x1p63)), (Bits{1, 1}));
}

TEST_P(OpsIntegers, FunctionsOfRealNumbersGiveFloats) {
    for (const DType dtype : {DType::i64, DType::i32, DType::u8, DType::boolean}) {
        const Tensor x = integers({1, 0}, dtype);
        EXPECT_EQ(floats(ops::sqrt(x)), (Floats{1, 0}));
        EXPECT_EQ(floats(ops::cos(x)), floats(ops::cos(x.to(DType::f32))));
        EXPECT_EQ(floats(sigmoid(x)), floats(sigmoid(x.to(DType::f32))));
    }
    const Tensor x = integers({4, 1, 9}), real = x.to(DType::f32);
    EXPECT_EQ(floats(ops::sqrt(x)), (Floats{2, 1, 3}));
    EXPECT_EQ(floats(unary(UnaryOp::reciprocal, x)), floats(1.0 / real));
    EXPECT_EQ(floats(rsqrt(x)), floats(rsqrt(real)));
    EXPECT_EQ(floats(ops::exp(x)), floats(ops::exp(real)));
    EXPECT_EQ(floats(ops::expm1(x)), floats(ops::expm1(real)));
    EXPECT_EQ(floats(ops::log(x)), floats(ops::log(real)));
    EXPECT_EQ(floats(ops::log1p(x)), floats(ops::log1p(real)));
    EXPECT_EQ(floats(ops::sin(x)), floats(ops::sin(real)));
    EXPECT_EQ(floats(ops::tanh(x)), floats(ops::tanh(real)));
    EXPECT_EQ(floats(ops::erf(x)), floats(ops::erf(real)));
    // Whole numbers stay: what rounding, signs and squares give is whole.
    EXPECT_EQ(whole(ops::floor(x)), (Integers{4, 1, 9}));
    EXPECT_EQ(whole(ops::ceil(x)), (Integers{4, 1, 9}));
    EXPECT_EQ(whole(ops::round(x)), (Integers{4, 1, 9}));
    EXPECT_EQ(whole(square(x)), (Integers{16, 1, 81}));
    EXPECT_EQ(whole(ops::abs(-x)), (Integers{4, 1, 9}));
    EXPECT_EQ(whole(pow(x, 2)), (Integers{16, 1, 81}));
    EXPECT_EQ(whole(binary(BinaryOp::power, x, 2, true)), (Integers{16, 2, 512}));
}

TEST_P(OpsIntegers, AreClippedAndChosenFrom) {
    const Tensor x = integers({-5, 0, 5, 9});
    EXPECT_EQ(whole(clip(x, -1, 6)), (Integers{-1, 0, 5, 6}));
    EXPECT_EQ(whole(clip(x, 0, infinity)), (Integers{0, 0, 5, 9}));
    EXPECT_EQ(whole(clip(x, -infinity, 0)), (Integers{-5, 0, 0, 0}));
    EXPECT_EQ(whole(clip(integers({0, 200, 255}, DType::u8), -3, 250), DType::u8), (Integers{0, 200, 250}));
    EXPECT_EQ(whole(maximum(x, 2)), (Integers{2, 2, 5, 9}));
    EXPECT_EQ(whole(minimum(x, 2)), (Integers{-5, 0, 2, 2}));
    const Tensor half = Tensor::scalar(0.5, {DType::f32, GetParam()});
    EXPECT_EQ(floats(where(less(x, 1), half, x)), (Floats{0.5f, 0.5f, 5, 9}));
    EXPECT_EQ(floats(maximum(x, half)), (Floats{0.5f, 0.5f, 5, 9}));
}

TEST_P(OpsIntegers, ReductionsOfSmallTypes) {
    const Tensor byte = integers({200, 100, 3, 7}, DType::u8).reshape(Shape{2, 2});
    EXPECT_EQ(whole(byte.sum()), (Integers{310}));
    EXPECT_EQ(whole(byte.sum(0)), (Integers{203, 107}));
    EXPECT_EQ(whole(integers({2147483647, 2147483647}, DType::i32).sum()), (Integers{4294967294}));
    EXPECT_EQ(whole(greater(byte, 5).sum(1)), (Integers{2, 1}));
    EXPECT_EQ(whole(ops::max(byte, {1}), DType::u8), (Integers{200, 7}));
    EXPECT_EQ(whole(ops::min(byte), DType::u8), (Integers{3}));
    EXPECT_EQ(bits(ops::max(greater(byte, 150), {1})), (Bits{1, 0}));
    EXPECT_EQ(whole(argmax(byte, 0)), (Integers{0, 0}));
    const auto [values, places] = topk(byte, 1);
    EXPECT_EQ(whole(values, DType::u8), (Integers{200, 7}));
    EXPECT_EQ(whole(places), (Integers{0, 1}));
}

TEST_P(OpsIntegers, ArithmeticOfBooleansIsThatOfTruthValues) {
    const Tensor a = integers({1, 1, 0, 0}, DType::boolean), b = integers({1, 0, 1, 0}, DType::boolean);
    EXPECT_EQ(bits(a + b), (Bits{1, 1, 1, 0}));
    EXPECT_EQ(bits(a * b), (Bits{1, 0, 0, 0}));
    EXPECT_EQ(bits(maximum(a, b)), (Bits{1, 1, 1, 0}));
    EXPECT_EQ(bits(minimum(a, b)), (Bits{1, 0, 0, 0}));
    EXPECT_EQ(whole(a + integers({1, 2, 3, 4})), (Integers{2, 3, 3, 4}));
}

}  // namespace
}  // namespace heddle
