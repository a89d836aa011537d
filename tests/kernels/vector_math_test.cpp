#include "kernels/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "core/random.h"

// The bounds that vector_math.h states, over random arguments; each function also has its special values.
namespace {

using namespace heddle;
using namespace heddle::kernels;

constexpr double infinity = std::numeric_limits<double>::infinity();

double ulps(float got, double want) {
    const double least = 0x1p-126;
    if (std::isnan(want)) return std::isnan(got) ? 0 : infinity;
    if (static_cast<double>(got) == want) return 0;
    if (std::abs(want) > std::numeric_limits<float>::max())
        return std::abs(got) >= std::numeric_limits<float>::max() && std::signbit(got) == std::signbit(want) ? 0
                                                                                                             : infinity;
    const double magnitude = std::max(std::abs(want), least);
    return std::abs(got - want) / std::exp2(std::floor(std::log2(magnitude)) - 23);
}

double uniform(std::uint64_t index, double low, double high) {
    return low + (high - low) * (Philox::block(7, 0, index).word[0] * 0x1p-32);
}

double worst(const std::function<float(float)>& got, const std::function<double(double)>& want, double low,
             double high) {
    double result = 0, where = 0;
    for (std::uint64_t i = 0; i < 200000; ++i) {
        const float x = static_cast<float>(uniform(i, low, high));
        const double error = ulps(got(x), want(static_cast<double>(x)));
        if (error > result) where = x, result = error;
    }
    ::testing::Test::RecordProperty("worst", std::to_string(result) + " at " + std::to_string(where));
    return result;
}

template <class Got, class Want>
void same_specials(const Got& got, const Want& want) {
    for (const double x : {0.0, -0.0, 1.0, -1.0, infinity, -infinity, std::nan(""), 3.0e38, -3.0e38, 1.2e-38, -1.2e-38})
        EXPECT_LE(ulps(got(static_cast<float>(x)), want(static_cast<double>(static_cast<float>(x)))), 2) << x;
}

TEST(VectorMath, Exp) {
    const auto want = [](double x) { return std::exp(x); };
    EXPECT_LE(worst(vec::exp, want, -87, 88.7), 2);
    EXPECT_LE(worst(vec::exp, want, -1, 1), 1.5);
    same_specials(vec::exp, want);
}

TEST(VectorMath, Expm1) {
    const auto want = [](double x) { return std::expm1(x); };
    EXPECT_LE(worst(vec::expm1, want, -20, 88.7), 2);
    EXPECT_LE(worst(vec::expm1, want, -1, 1), 2);
    EXPECT_LE(worst(vec::expm1, want, -1e-5, 1e-5), 1);
    same_specials(vec::expm1, want);
}

TEST(VectorMath, Log) {
    const auto want = [](double x) { return std::log(x); };
    EXPECT_LE(worst(vec::log, want, 1e-37, 10), 1.5);
    EXPECT_LE(worst(vec::log, want, 0.9, 1.1), 1.5);
    EXPECT_LE(worst(vec::log, want, 0, 3e38), 1.5);
    same_specials(vec::log, want);
}

TEST(VectorMath, Log1p) {
    const auto want = [](double x) { return std::log1p(x); };
    EXPECT_LE(worst(vec::log1p, want, -0.999, 10), 2);
    EXPECT_LE(worst(vec::log1p, want, -1e-3, 1e-3), 2);
    EXPECT_LE(worst(vec::log1p, want, 0, 3e38), 2);
    same_specials(vec::log1p, want);
}

TEST(VectorMath, Sigmoid) {
    const auto want = [](double x) { return 1 / (1 + std::exp(-x)); };
    EXPECT_LE(worst(vec::sigmoid, want, -87, 87), 3);
    EXPECT_LE(worst(vec::sigmoid, want, -2, 2), 3);
    // Around -88 e^-x overflows, and the result is denormal or 0.
    for (std::uint64_t i = 0; i < 100000; ++i) {
        const auto x = static_cast<float>(uniform(i, -95, -80));
        ASSERT_NEAR(vec::sigmoid(x), want(x), 0x1p-126) << x;
    }
    same_specials(vec::sigmoid, want);
}

TEST(VectorMath, Tanh) {
    const auto want = [](double x) { return std::tanh(x); };
    EXPECT_LE(worst(vec::tanh, want, -12, 12), 3);
    EXPECT_LE(worst(vec::tanh, want, -0.5, 0.5), 3);
    EXPECT_LE(worst(vec::tanh, want, -1e-4, 1e-4), 3);
    same_specials(vec::tanh, want);
}

TEST(VectorMath, Erf) {
    const auto want = [](double x) { return std::erf(x); };
    EXPECT_LE(worst(vec::erf, want, -5, 5), 3);
    EXPECT_LE(worst(vec::erf, want, -1e-3, 1e-3), 3);
    same_specials(vec::erf, want);
}

TEST(VectorMath, NormalDistribution) {
    for (std::uint64_t i = 0; i < 100000; ++i) {
        const float x = static_cast<float>(uniform(i, -5, 8));
        const double cumulative = 0.5 * std::erfc(-double(x) * std::sqrt(0.5)),
                     density = std::exp(-0.5 * double(x) * double(x)) / std::sqrt(2 * M_PI);
        const vec::NormalDistribution got = vec::normal_distribution(x);
        ASSERT_NEAR(got.cumulative / cumulative, 1, 1e-6) << x;
        ASSERT_NEAR(got.cumulative, cumulative, 2e-7) << x;
        ASSERT_NEAR(got.density, density, 2e-7) << x;
    }
    EXPECT_EQ(vec::normal_distribution(-100).cumulative, 0);
    EXPECT_EQ(vec::normal_distribution(100).cumulative, 1);
}

TEST(VectorMath, SinCos) {
    for (const double range : {4.0, 1e3, 0x1p26}) {
        EXPECT_LE(worst(
                      vec::sin, [](double x) { return std::sin(x); }, -range, range),
                  1)
            << range;
        EXPECT_LE(worst(
                      vec::cos, [](double x) { return std::cos(x); }, -range, range),
                  1)
            << range;
    }
}

TEST(VectorMath, Softplus) {
    const auto want = [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); };
    EXPECT_LE(worst(vec::softplus, want, -80, 80), 3);
    EXPECT_EQ(vec::softplus(200.0f), 200.0f);
    EXPECT_EQ(vec::softplus(-200.0f), 0.0f);
}

TEST(VectorMath, Pow) {
    double largest = 0;
    for (std::uint64_t i = 0; i < 200000; ++i) {
        const auto a = static_cast<float>(std::exp2(uniform(2 * i, -20, 20))),
                   b = static_cast<float>(uniform(2 * i + 1, -6, 6));
        largest = std::max(largest, ulps(vec::pow(a, b), std::pow(double(a), double(b))));
    }
    EXPECT_LE(largest, 1);
    for (const double a : {0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3e38, infinity, -infinity, std::nan("")})
        for (const double b :
             {0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5, -0.5, 1e9, -1e9, infinity, -infinity, std::nan("")}) {
            const float fa = static_cast<float>(a), fb = static_cast<float>(b);
            EXPECT_LE(ulps(vec::pow(fa, fb), std::pow(double(fa), double(fb))), 1) << a << " to the " << b;
        }
}

}  // namespace
