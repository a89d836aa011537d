#include <gtest/gtest.h>

#include <cmath>

#include "core/detail/processor.h"
#include "heddle.h"

// Recurrent models and transformers train in bf16 on the CPU: they learn what f32 learns, with f32 parameters, and give
// the same bits each time.
namespace {

using namespace heddle;

constexpr std::int64_t window = 12, tokens = 11;

/// Sequences with a rule: the next token is 2 * token + 3, from any start, but one in eight is chance.
struct Data {
    Tensor x, y;
};
Data sequences() {
    constexpr std::int64_t count = 8 * 16 + 5;
    std::vector<std::int64_t> x, y;
    Generator generator(23);
    for (std::int64_t i = 0; i < count; ++i) {
        auto token = static_cast<std::int64_t>(generator.below(tokens));
        for (std::int64_t t = 0; t < window; ++t) {
            x.push_back(token);
            token =
                generator.below(8) == 0 ? static_cast<std::int64_t>(generator.below(tokens)) : (2 * token + 3) % tokens;
            y.push_back(token);
        }
    }
    return {Tensor::from(x, Shape{count, window}), Tensor::from(y, Shape{count, window})};
}

Model recurrent() {
    const Symbol in = Input(Shape{window});
    Symbol h = Embedding(tokens, 16)(in);
    h = LSTM(24, {.return_sequences = true})(h);
    h = GRU(20, {.return_sequences = true})(h);
    h = LayerNormalization()(SimpleRNN(18, {.return_sequences = true})(h));
    return Model(in, Dense(tokens)(h));
}

Model transformer() {
    const Symbol in = Input(Shape{window});
    Symbol h = TokenAndPositionEmbedding(tokens, window, 24)(in);
    h = Add()({h, Dropout(0.05f)(MultiHeadAttention(3, 8, {.causal = true})(LayerNormalization()(h)))});
    h = Add()({h, Dense(24)(Dense(48, {.activation = Activation::gelu})(LayerNormalization()(h)))});
    return Model(in, Dense(tokens)(LayerNormalization()(h)));
}

struct Outcome {
    std::vector<double> losses;
    std::vector<float> weights;
    double accuracy = 0;  ///< of evaluation
};

Outcome train(Model (*make)(), Precision precision, int epochs) {
    set_seed(5);
    const Model model = make();
    model.compile({.optimizer = Adam({.learning_rate = 1e-2, .global_clip_norm = 1}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"},
                   .precision = precision});
    const Data data = sequences();
    const History history = model.fit(data.x, data.y, {.epochs = epochs, .batch_size = 16, .verbose = 0});
    Outcome outcome{history.at("loss"), {}, model.evaluate(data.x, data.y).at("accuracy")};
    for (const auto& [name, parameter] : model.parameters()) {
        EXPECT_EQ(parameter.dtype(), DType::f32) << name;
        for (const float value : parameter.to_vector<float>()) outcome.weights.push_back(value);
    }
    EXPECT_EQ(model.predict(data.x).dtype(), DType::f32);
    return outcome;
}

class Bf16Sequences : public testing::TestWithParam<Model (*)()> {
  protected:
    void SetUp() override {
        if (!has_avx512()) GTEST_SKIP() << "products in bf16 want a processor with AVX-512";
    }
};
INSTANTIATE_TEST_SUITE_P(Models, Bf16Sequences, testing::Values(recurrent, transformer),
                         [](const auto& place) { return place.index == 0 ? "Recurrent" : "Transformer"; });

TEST_P(Bf16Sequences, LearnsWhatF32Learns) {
    const Outcome full = train(GetParam(), Precision::f32, 12), half = train(GetParam(), Precision::bf16, 12);
    EXPECT_GT(full.accuracy, 0.8);
    EXPECT_NEAR(half.accuracy, full.accuracy, 0.03);
    EXPECT_NEAR(half.losses.front(), full.losses.front(), 0.1);
    EXPECT_NE(half.losses, full.losses);
    for (const float weight : half.weights) ASSERT_TRUE(std::isfinite(weight));
}

TEST_P(Bf16Sequences, GivesTheSameBitsTwice) {
    const Outcome a = train(GetParam(), Precision::bf16, 2), b = train(GetParam(), Precision::bf16, 2);
    EXPECT_EQ(a.weights, b.weights);
    EXPECT_EQ(a.losses, b.losses);
}

}  // namespace
