#include "support.h"

// Distributions of initial weights: bounds, variance, and whose fan they look at.
namespace heddle {
namespace {

using namespace layer_tests;

struct Moments {
    double mean = 0, variance = 0, largest = 0;
};

Moments moments(const Tensor& tensor) {
    Moments m;
    const std::vector<double> v = numbers(tensor);
    for (const double x : v) m.mean += x / static_cast<double>(v.size());
    for (const double x : v) {
        m.variance += (x - m.mean) * (x - m.mean) / static_cast<double>(v.size());
        m.largest = std::max(m.largest, std::abs(x));
    }
    return m;
}

struct InitializerCase {
    Initializer initializer;
    double variance;
    double bound;  ///< 0: none
};

TEST(Initializers, HaveTheVarianceAndBoundsOfTheirPapers) {
    constexpr std::int64_t in = 300, out = 200;
    // Keras divides the deviation by that of a standard normal cut at 2: the variance after cutting is as named.
    constexpr double cut = 2 / 0.87962566103423978;
    const auto uniform = [](Initializer kind, double bound) { return InitializerCase{kind, bound * bound / 3, bound}; };
    const auto truncated = [](Initializer kind, double variance) {
        return InitializerCase{kind, variance, cut * std::sqrt(variance)};
    };
    const std::vector<InitializerCase> cases{
        uniform(Initializer::glorot_uniform, std::sqrt(6.0 / (in + out))),
        uniform(Initializer::he_uniform, std::sqrt(6.0 / in)),
        uniform(Initializer::lecun_uniform, std::sqrt(3.0 / in)),
        uniform(Initializer::fan_in_uniform, std::sqrt(1.0 / in)),
        uniform({Initializer::random_uniform, 0.2}, 0.2),
        truncated(Initializer::glorot_normal, 2.0 / (in + out)),
        truncated(Initializer::he_normal, 2.0 / in),
        truncated(Initializer::lecun_normal, 1.0 / in),
        {Initializer::he_normal_fan_out, 2.0 / out, 0},
        {{Initializer::random_normal, 0.3}, 0.09, 0},
    };
    for (const InitializerCase& c : cases) {
        SCOPED_TRACE(c.initializer.name());
        set_seed(8);
        const Tensor weights = c.initializer(Shape{out, in}, in, out);
        EXPECT_EQ(weights.shape(), (Shape{out, in}));
        const Moments m = moments(weights);
        // 60,000 numbers: the variance is within 2 %, the mean within 5 of its deviations.
        EXPECT_NEAR(m.variance / c.variance, 1, 0.02);
        EXPECT_NEAR(m.mean, 0, 5 * std::sqrt(c.variance / 60000));
        if (c.bound > 0) {
            EXPECT_LE(m.largest, c.bound * (1 + 1e-6));
            EXPECT_GT(m.largest, 0.98 * c.bound);
        } else {
            EXPECT_GT(m.largest, 3.5 * std::sqrt(c.variance));
        }
    }
    EXPECT_EQ(numbers(Initializer("zeros")({2}, 1, 1)), (std::vector<double>{0, 0}));
    EXPECT_EQ(numbers(Initializer("ones")({2}, 1, 1)), (std::vector<double>{1, 1}));
    EXPECT_EQ(numbers(Initializer(Initializer::constant, 0.5)({2}, 1, 1)), (std::vector<double>{0.5, 0.5}));
}

TEST(Initializers, LayersGiveTheirFans) {
    // Bounds that tell fan-in from fan-out: 3 x 3 x 32 / 2 groups = 144 inputs, 3 x 3 x 128 / 2 = 576 outputs.
    const auto largest = [](Initializer initializer) {
        set_seed(9);
        const Conv2D conv(128, 3, {.groups = 2, .kernel_initializer = initializer});
        conv.build({{4, 4, 32}});
        return moments(conv.parameters()[0].second).largest;
    };
    EXPECT_NEAR(largest(Initializer::he_uniform), std::sqrt(6.0 / 144), 1e-4);
    EXPECT_NEAR(largest(Initializer::glorot_uniform), std::sqrt(6.0 / (144 + 576)), 1e-4);
    const Dense dense(
        50, {.kernel_initializer = Initializer::lecun_uniform, .bias_initializer = Initializer::fan_in_uniform});
    dense.build({{400}});
    EXPECT_NEAR(moments(dense.parameters()[0].second).largest, std::sqrt(3.0 / 400), 1e-4);
    EXPECT_LE(moments(dense.parameters()[1].second).largest, std::sqrt(1.0 / 400));
    EXPECT_GT(moments(dense.parameters()[1].second).largest, 0.5 * std::sqrt(1.0 / 400));
}

TEST(Initializers, DependOnTheSeedAndTheOrderOnly) {
    const auto draw = [](std::uint64_t seed) {
        set_seed(seed);
        const Sequential model{Dense(3), Dense(4)};
        model.build(Shape{5});
        std::vector<double> all;
        for (const auto& [name, tensor] : model.parameters())
            for (const double value : numbers(tensor)) all.push_back(value);
        return all;
    };
    EXPECT_EQ(draw(1), draw(1));
    EXPECT_NE(draw(1), draw(2));
}

}  // namespace
}  // namespace heddle
