#include "support.h"

// Regularizers and constraints of single layers, and the layers without weights that a list of cases says too little
// of.
namespace heddle {
namespace {

using namespace layer_tests;

TEST(Regularizers, AddUp) {
    const Dense first(2, {.kernel_initializer = {Initializer::constant, -2}, .kernel_regularizer = L1(0.5)});
    const Dense second(1, {.kernel_initializer = {Initializer::constant, 3},
                           .bias_initializer = Initializer::ones,
                           .kernel_regularizer = L1L2(0.25, 0.125),
                           .bias_regularizer = L2(7)});
    const Sequential model{first, second};
    model(values({1, 3}));
    // 0.5 * 6 * 2; 0.25 * 2 * 3 + 0.125 * 2 * 9; 7.
    const Tensor loss = model.regularization_loss();
    EXPECT_DOUBLE_EQ(loss.item(), 6 + 1.5 + 2.25 + 7);
    loss.backward();
    EXPECT_EQ(numbers(first.parameters()[0].second.grad()), (std::vector<double>(6, -0.5)));
    EXPECT_EQ(numbers(second.parameters()[0].second.grad()), (std::vector<double>(2, 0.25 + 0.125 * 6)));
    EXPECT_EQ(numbers(second.parameters()[1].second.grad()), (std::vector<double>{14}));
    EXPECT_FALSE(first.parameters()[1].second.grad().defined());
    // Frozen weights have no penalty.
    second.set_trainable(false);
    EXPECT_DOUBLE_EQ(model.regularization_loss().item(), 6);
    first.set_trainable(false);
    EXPECT_FALSE(model.regularization_loss().defined());
    EXPECT_FALSE(Dense(2).regularization_loss().defined());
}

TEST(Regularizers, CountASharedLayerOnce) {
    const Dense shared(3, {.kernel_initializer = Initializer::ones, .kernel_regularizer = "l2"});
    const Sequential model{shared, Sequential{shared}};
    model(values({1, 3}));
    EXPECT_NEAR(model.regularization_loss().item(), 0.09, 1e-7);
}

TEST(Constraints, DoWhatTheyAreCalled) {
    const Tensor weight = Tensor::from<float>({3, 4, 0.3f, -0.4f, 0, 0}, {3, 2});
    const auto after = [&](const Constraint& constraint) {
        const Tensor copy = weight.clone();
        constraint.apply(copy);
        return numbers(copy);
    };
    const auto expect = [](const std::vector<double>& got, const std::vector<double>& want) {
        for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-6) << i;
    };
    expect(after(MaxNorm(2.5)), {1.5, 2, 0.3, -0.4, 0, 0});
    expect(after("max_norm"), {1.2, 1.6, 0.3, -0.4, 0, 0});
    expect(after(UnitNorm()), {0.6, 0.8, 0.6, -0.8, 0, 0});
    expect(after(NonNeg()), {3, 4, 0.3, 0, 0, 0});
    expect(after(Constraint()), {3, 4, 0.3, -0.4, 0, 0});
    // The norm of a filter is over all that leads to it.
    const Tensor filters = Tensor::ones({2, 2, 2, 4});
    UnitNorm().apply(filters);
    for (const double value : numbers(filters)) EXPECT_NEAR(value, 0.25, 1e-6);
}

TEST(Constraints, ApplyToWhatIsTrained) {
    const Dense negative(2, {.kernel_initializer = {Initializer::constant, -1}, .kernel_constraint = NonNeg()});
    const Dense frozen(2, {.kernel_initializer = {Initializer::constant, -1}, .kernel_constraint = NonNeg()});
    const Sequential model{negative, frozen};
    model(values({1, 2}));
    frozen.set_trainable(false);
    model.apply_constraints();
    EXPECT_EQ(numbers(negative.parameters()[0].second), (std::vector<double>(4, 0)));
    EXPECT_EQ(numbers(frozen.parameters()[0].second), (std::vector<double>(4, -1)));
}

TEST(Rules, BadOnesSayWhatIsWrong) {
    EXPECT_EQ(error_of([] { L2(-1); }), "Regularizer: l1 and l2 must not be negative, got 0 and -1");
    EXPECT_EQ(error_of([] { Dense(1, {.kernel_regularizer = "l3"}); }),
              "unknown regularizer \"l3\": expected l1 or l2");
    EXPECT_EQ(error_of([] { MaxNorm(-1); }), "MaxNorm: max_value must not be negative, got -1");
    EXPECT_EQ(error_of([] { Dense(1, {.kernel_constraint = "maxnorm"}); }),
              "unknown constraint \"maxnorm\": expected max_norm, non_neg or unit_norm");
}

TEST(GaussianNoise, OnlyInTraining) {
    const Tensor x = Tensor::full({100, 100}, 3);
    const GaussianNoise layer(0.5f);
    EXPECT_TRUE(layer(x).is_same(x));
    set_seed(2);
    const std::vector<double> noisy = numbers(layer(x, true));
    double mean = 0, square = 0;
    for (const double value : noisy) {
        mean += (value - 3) / 1e4;
        square += (value - 3) * (value - 3) / 1e4;
    }
    // Within four deviations of what 10000 draws give.
    EXPECT_NEAR(mean, 0, 4 * 0.5 / 100);
    EXPECT_NEAR(square, 0.25, 4 * 0.25 * std::sqrt(2.0) / 100);
    EXPECT_EQ(error_of([] { GaussianNoise(-1); }), "GaussianNoise: the deviation must not be negative, got -1");
}

TEST(Merges, Values) {
    const Tensor a = Tensor::from<float>({1, 5}, {1, 2}), b = Tensor::from<float>({4, 2}, {1, 2});
    const auto of = [&](const Layer& layer) { return numbers(layer(std::vector{a, b})[0]); };
    EXPECT_EQ(of(Subtract()), (std::vector<double>{-3, 3}));
    EXPECT_EQ(of(Average()), (std::vector<double>{2.5, 3.5}));
    EXPECT_EQ(of(Maximum()), (std::vector<double>{4, 5}));
    EXPECT_EQ(of(Minimum()), (std::vector<double>{1, 2}));
    EXPECT_EQ(of(Dot(1)), (std::vector<double>{14}));
    EXPECT_NEAR(of(Dot(1, {.normalize = true}))[0], 14 / std::sqrt(26.0 * 20), 1e-6);
    EXPECT_EQ(error_of([&] { Subtract()(std::vector{a, a, a}); }), "Subtract: expected two inputs, got 3");
}

TEST(Merges, DotOfMatrices) {
    const Tensor a = values({2, 3, 4}), b = values({2, 5, 4}, DType::f32, 2), v = values({2, 4}, DType::f32, 3);
    const auto sum = [&](std::int64_t n, std::int64_t i, std::int64_t j) {
        double total = 0;
        for (std::int64_t k = 0; k < 4; ++k)
            total += static_cast<double>(a.data<float>()[(n * 3 + i) * 4 + k]) * b.data<float>()[(n * 5 + j) * 4 + k];
        return total;
    };
    const Tensor y = Dot(2)(std::vector{a, b})[0];
    ASSERT_EQ(y.shape(), (Shape{2, 3, 5}));
    for (std::int64_t n = 0; n < 2; ++n)
        for (std::int64_t i = 0; i < 3; ++i)
            for (std::int64_t j = 0; j < 5; ++j)
                EXPECT_NEAR(static_cast<double>(y.data<float>()[(n * 3 + i) * 5 + j]), sum(n, i, j), 1e-5);
    EXPECT_EQ(Dot(2, 1)(std::vector{a, v})[0].shape(), (Shape{2, 3}));
    EXPECT_EQ(Dot(1, 2)(std::vector{v, b})[0].shape(), (Shape{2, 5}));
    EXPECT_LT(relative_error(Dot(1, 2)(std::vector{v, a})[0], Dot(2, 1)(std::vector{a, v})[0]), 1e-6);
    EXPECT_EQ(Dot(-1)->output_shapes({{3, 4}, {5, 4}}), (std::vector<Shape>{{3, 5}}));
    EXPECT_EQ(error_of([&] {
                  Dot(1)(std::vector{a, b});
              }),
              "Dot: the axes have 3 and 5 elements (shapes [3, 4] and [5, 4])");
    EXPECT_EQ(error_of([&] { Dot(0)(std::vector{a, a}); }), "Dot: axis 0 is the batch dimension");
}

TEST(Resizing, Values) {
    const Tensor x = Tensor::from<float>({1, 2, 3, 4}, {1, 2, 2, 1});
    EXPECT_EQ(numbers(UpSampling2D({1, 2})(x)), (std::vector<double>{1, 1, 2, 2, 3, 3, 4, 4}));
    EXPECT_EQ(numbers(UpSampling2D({1, 2}, {.interpolation = Interpolation::bilinear})(x)),
              (std::vector<double>{1, 1.25, 1.75, 2, 3, 3.25, 3.75, 4}));
    EXPECT_EQ(numbers(ZeroPadding2D({0, 1, 1, 0})(x)), (std::vector<double>{0, 1, 2, 0, 3, 4, 0, 0, 0}));
    EXPECT_EQ(numbers(Cropping2D({1, 0, 0, 1})(x)), (std::vector<double>{3}));
    EXPECT_EQ(error_of([] {
                  Cropping2D({1, 1})->output_shape({2, 3, 1});
              }),
              "Cropping2D: nothing is left of [2, 3, 1]");
    EXPECT_EQ(error_of([] {
                  ZeroPadding2D({-1, 0, 0, 0});
              }),
              "ZeroPadding2D: no side may be negative, got top -1, bottom 0, left 0, right 0");
}

TEST(Sequences, BadShapesSayWhatIsWrong) {
    EXPECT_EQ(error_of([] { Conv1D(2, 3)(values({2, 4})); }), "Conv1D: expected sequences [time, features], got [4]");
    EXPECT_EQ(error_of([] {
                  MaxPooling1D(2)(values({2, 4, 4, 1}));
              }),
              "MaxPooling1D: expected sequences [batch, time, features], got f32 [2, 4, 4, 1]");
    EXPECT_EQ(error_of([] {
                  Conv2DTranspose(1, 3, {.output_padding = Size2(1)})(values({1, 2, 2, 1}));
              }),
              "Conv2DTranspose: output padding 1 must be below the stride 1");
    EXPECT_EQ(error_of([] {
                  Conv2DTranspose(1, 2, {.padding = Padding::same, .output_padding = Size2(0)})(values({1, 4, 4, 1}));
              }),
              "Conv2DTranspose: output_padding 0 x 0 is too small for padding \"same\" and a kernel of 2 x 2");
    EXPECT_EQ(error_of([] { Permute({1, 3}); }), "Permute: expected each of 1 .. 2 once, got 1, 3");
}

}  // namespace
}  // namespace heddle
