#include "support.h"

namespace heddle {
namespace {

using namespace layer_tests;

Tensor indices(const std::vector<std::int64_t>& values, const Shape& shape) { return Tensor::from(values, shape); }

TEST(Embedding, TakesVectorsAndTheirGradients) {
    const Embedding layer(5, 3, {.name = "words"});
    const Tensor x = indices({4, 0, 4, 1}, {2, 2});
    const Tensor y = layer(x);
    EXPECT_EQ(y.shape(), (Shape{2, 2, 3}));
    EXPECT_EQ(layer->output_shape({2}), (Shape{2, 3}));
    const Tensor weight = layer.parameters()[0].second;
    EXPECT_EQ(layer.parameters()[0].first, "weight");
    const std::vector<double> rows = numbers(weight), got = numbers(y);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(got[i], rows[4 * 3 + i]);
        EXPECT_EQ(got[3 + i], rows[i]);
    }
    y.sum().backward();
    EXPECT_EQ(numbers(weight.grad()), (std::vector<double>{1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 2, 2, 2}));
    // i32 gives the same.
    EXPECT_EQ(numbers(layer(x.to(DType::i32))), got);
}

TEST(Embedding, InitialWeightsAreKeras) {
    set_seed(3);
    const Embedding layer(200, 50);
    layer(indices({0}, {1}));
    double largest = 0;
    for (const double value : numbers(layer.parameters()[0].second)) largest = std::max(largest, std::abs(value));
    EXPECT_LE(largest, 0.05);
    EXPECT_GT(largest, 0.0499);
}

TEST(Embedding, PaddingIsAConstant) {
    const Embedding layer(4, 2, {.padding_index = 1});
    const Tensor y = layer(indices({1, 3, 1, 1}, {4}));
    EXPECT_EQ(numbers(y.slice(0, 1)), (std::vector<double>{0, 0}));
    y.sum().backward();
    EXPECT_EQ(numbers(layer.parameters()[0].second.grad()), (std::vector<double>{0, 0, 0, 0, 0, 0, 1, 1}));
    // A table that comes from elsewhere may have any numbers there: they are used, and stay.
    layer.parameters()[0].second.fill_(0.5);
    EXPECT_EQ(numbers(layer(indices({1}, {1}))), (std::vector<double>{0.5, 0.5}));
}

TEST(Embedding, GradientsAgreeWithFiniteDifferences) {
    const Embedding layer(5, 2, {.padding_index = 0});
    const Tensor x = indices({2, 4, 0, 2, 2, 1}, {2, 3});
    layer.build({Shape{3}});
    fill_parameters(layer);
    make_f64(layer);
    const Tensor weights = values({2, 3, 2}, DType::f64, 9), table = layer.parameters()[0].second;
    const auto loss = [&] { return (ops::square(layer(x)) * weights).sum(); };
    loss().backward();
    const std::vector<double> exact = numbers(table.grad());
    const NoGrad no_grad;
    for (std::int64_t i = 0; i < table.elements(); ++i) {
        double& element = table.data<double>()[i];
        const double before = element, step = 1e-6;
        element = before + step;
        const double above = loss().item();
        element = before - step;
        const double below = loss().item();
        element = before;
        const double expected = i < 2 ? 0 : (above - below) / (2 * step);
        EXPECT_NEAR(exact[static_cast<std::size_t>(i)], expected, 1e-8) << i;
    }
}

TEST(Embedding, ComesBackFromItsConfig) {
    const Embedding layer(4, 2,
                          {.embeddings_initializer = Initializer::ones,
                           .embeddings_regularizer = L2(0.5),
                           .embeddings_constraint = MaxNorm(1),
                           .padding_index = 0});
    const Layer back = Layer::from_config(Config::parse(layer.config().to_json()));
    EXPECT_EQ(back.config(), layer.config());
    EXPECT_EQ(numbers(back(indices({0, 1}, {2}))), (std::vector<double>{0, 0, 1, 1}));
    EXPECT_EQ(numbers(layer(indices({1}, {1}))), (std::vector<double>{1, 1}));
    EXPECT_EQ(numbers(layer.clone()(indices({1}, {1}))), (std::vector<double>{1, 1}));
}

TEST(Embedding, ErrorsSayWhatIsWrong) {
    EXPECT_EQ(error_of([] { Embedding(4, 0); }), "Embedding: input_dim and output_dim must be at least 1, got 4 and 0");
    EXPECT_EQ(error_of([] { Embedding(4, 2, {.padding_index = 4}); }), "Embedding: padding_index 4 is outside 0 .. 3");
    const Embedding layer(4, 2, {.name = "words"});
    EXPECT_EQ(error_of([&] {
                  layer(indices({1, 4}, {2}));
              }),
              "Embedding \"words\": index 4 (element 1) is outside 0 .. 3");
    EXPECT_EQ(error_of([&] {
                  layer(values({2, 3}));
              }),
              "Embedding \"words\": indices must be i32 or i64, got f32 [2, 3]");
}

}  // namespace
}  // namespace heddle
