#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/detail/processor.h"
#include "core/parallel.h"
#include "heddle.h"

// Training in bf16 on the CPU: it follows f32, gives the same bits each time, and resumes to the bits of an unbroken
// run.
namespace {

using namespace heddle;

class Bf16OnTheCpu : public testing::Test {
  protected:
    void SetUp() override {
        if (!has_avx512()) GTEST_SKIP() << "products in bf16 want a processor with AVX-512";
    }
};

struct Data {
    Tensor x, y;
};

/// Pictures of three classes that differ in brightness, more of them than whole batches.
Data pictures() {
    constexpr std::int64_t count = 8 * 16 + 5, elements = 8 * 8 * 3;
    std::vector<float> values;
    std::vector<std::int64_t> labels;
    Generator generator(17);
    for (std::int64_t i = 0; i < count; ++i) {
        labels.push_back(static_cast<std::int64_t>(generator.below(3)));
        for (std::int64_t k = 0; k < elements; ++k)
            values.push_back(static_cast<float>(generator.below(1000)) / 1000.0f - 0.5f +
                             0.2f * static_cast<float>(labels.back()));
    }
    return {Tensor::from(values, Shape{count, 8, 8, 3}), Tensor::from(labels, Shape{count})};
}

/// A residual block between convolutions, every kind of layer that the reference models are made of.
Model small_resnet() {
    auto in = Input(Shape{8, 8, 3});
    auto stem = ReLU()(BatchNormalization()(Conv2D(16, 3, {.padding = Padding::same, .use_bias = false})(in)));
    auto h = BatchNormalization()(Conv2D(16, 3, {.padding = Padding::same, .use_bias = false})(stem));
    h = ReLU()(Add()({h, stem}));
    h = MaxPooling2D(2)(Conv2D(20, 3, {.padding = Padding::same, .activation = Activation::relu})(h));
    h = Dropout(0.1f)(Dense(24, {.activation = Activation::gelu})(GlobalAveragePooling2D()(AveragePooling2D(2)(h))));
    return Model(in, Dense(3)(h));
}

void compile(const Model& model, Precision precision) {
    model.compile({.optimizer = SGD({.learning_rate = 0.05, .momentum = 0.9}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"},
                   .precision = precision});
}

std::vector<float> weights_of(const Model& model) {
    std::vector<float> weights;
    for (const auto& [name, parameter] : model.parameters()) {
        EXPECT_EQ(parameter.dtype(), DType::f32) << name;
        for (const float value : parameter.to_vector<float>()) weights.push_back(value);
    }
    return weights;
}

struct Outcome {
    std::vector<double> losses;
    std::vector<float> weights, logits;
    double loss = 0;  ///< of evaluation
};

Outcome train(Precision precision, int epochs = 4) {
    set_seed(5);
    const Model model = small_resnet();
    compile(model, precision);
    const Data data = pictures();
    const History history = model.fit(data.x, data.y, {.epochs = epochs, .batch_size = 16, .verbose = 0});
    const Tensor logits = model.predict(data.x);
    EXPECT_EQ(logits.dtype(), DType::f32);
    return {history.at("loss"), weights_of(model), logits.to_vector<float>(),
            model.evaluate(data.x, data.y).at("loss")};
}

TEST_F(Bf16OnTheCpu, FollowsF32) {
    const Outcome full = train(Precision::f32), half = train(Precision::bf16);
    ASSERT_EQ(half.losses.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(half.losses[i], full.losses[i], 0.05) << "epoch " << i;
    EXPECT_NE(half.losses, full.losses);
    EXPECT_LT(half.losses.back(), half.losses.front());
    EXPECT_TRUE(std::isfinite(half.loss));
}

TEST_F(Bf16OnTheCpu, GivesTheSameBitsTwice) {
    const Outcome a = train(Precision::bf16, 2), b = train(Precision::bf16, 2);
    EXPECT_EQ(a.weights, b.weights);
    EXPECT_EQ(a.losses, b.losses);
    EXPECT_EQ(a.logits, b.logits);
}

TEST_F(Bf16OnTheCpu, PredictionIsNearF32s) {
    set_seed(6);
    const Model model = small_resnet();
    const Data data = pictures();
    compile(model, Precision::f32);
    const std::vector<float> full = model.predict(data.x).to_vector<float>();
    compile(model, Precision::bf16);
    const std::vector<float> half = model.predict(data.x).to_vector<float>();
    ASSERT_EQ(half.size(), full.size());
    float largest = 0;
    for (const float value : full) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < full.size(); ++i) EXPECT_NEAR(half[i], full[i], 0.03f * largest);
    EXPECT_NE(half, full);
}

TEST_F(Bf16OnTheCpu, ResumesToTheSameBits) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "heddle_bf16_cpu";
    std::filesystem::remove_all(folder);
    const Data data = pictures();
    set_seed(5);
    const Model half_way = small_resnet();
    compile(half_way, Precision::bf16);
    half_way.fit(data.x, data.y,
                 {.epochs = 4, .batch_size = 16, .steps = 13, .verbose = 0, .checkpoint_dir = folder.string()});
    set_seed(99);
    const Model resumed = small_resnet();
    compile(resumed, Precision::bf16);
    resumed.fit(data.x, data.y,
                {.epochs = 4, .batch_size = 16, .verbose = 0, .checkpoint_dir = folder.string(), .resume = true});
    std::filesystem::remove_all(folder);
    EXPECT_EQ(weights_of(resumed), train(Precision::bf16).weights);
}

TEST_F(Bf16OnTheCpu, F16SaysThatItIsNotThere) {
    set_seed(1);
    const Model model = small_resnet();
    compile(model, Precision::f16);
    try {
        model.predict(pictures().x);
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("f16"), std::string::npos) << error.what();
    }
}

}  // namespace
