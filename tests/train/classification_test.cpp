#include <gtest/gtest.h>

#include "samples.h"

namespace heddle {
namespace {

using namespace samples;

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

TEST(ClassificationLog, KeepsEachExample) {
    const ClassificationLog log;
    // exp: 1, 2, 1 of 4; 1, 1, 2 of 4; a tie.
    const float two = std::log(2.0f);
    log.update(Tensor::from<float>({0, two, 0, 0, 0, two}, Shape{2, 3}), Tensor::from<std::int64_t>({1, 0}, Shape{2}));
    log.update(Tensor::from<float>({0, 0, -1000}, Shape{1, 3}), Tensor::from<std::int64_t>({2}, Shape{1}));
    ASSERT_EQ(log.examples().size(), 3u);
    const Classified expected[] = {{1, 1, 0.5, two}, {0, 2, 0.5, std::log(4.0)}, {2, 0, 0.5, 1000 + two}};
    for (std::size_t i = 0; i < 3; ++i) {
        const Classified& got = log.examples()[i];
        EXPECT_EQ(got.label, expected[i].label) << i;
        EXPECT_EQ(got.predicted, expected[i].predicted) << i;
        EXPECT_NEAR(got.probability, expected[i].probability, 1e-6) << i;
        EXPECT_NEAR(got.loss, expected[i].loss, 1e-4) << i;
    }
    EXPECT_NEAR(log.result(), 1.0 / 3, 1e-12);
    EXPECT_EQ(log.confusion(), (std::vector<std::int64_t>{0, 0, 1, 0, 1, 0, 1, 0, 0}));
    EXPECT_EQ(log.worst(2), (std::vector<std::int64_t>{2, 1}));
    EXPECT_EQ(log.worst(9), (std::vector<std::int64_t>{2, 1, 0}));

    const ClassificationLog other;
    other.set_state(log.state());
    EXPECT_EQ(other.examples(), log.examples());
    EXPECT_EQ(other.confusion(), log.confusion());
    log.reset();
    EXPECT_TRUE(log.examples().empty());
    EXPECT_TRUE(std::isnan(log.result()));
}

TEST(ClassificationLog, WhatIsNoNumberIsTheWorst) {
    const ClassificationLog log;
    log.update(Tensor::from<float>({1, 0, nan_value, 0, 0, 9, 1, 0}, Shape{4, 2}),
               Tensor::from<std::int64_t>({0, 0, 0, 0}, Shape{4}));
    EXPECT_EQ(log.worst(4), (std::vector<std::int64_t>{1, 2, 0, 3}));
}

TEST(ClassificationLog, AgreesWithAccuracyAndLoss) {
    const auto [x, y] = moons(70);
    Sequential model{Dense(2)};
    const ClassificationLog log;
    model.compile({.optimizer = "sgd",
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy", log}});
    const Result result = model.evaluate(x, y, {.batch_size = 32});
    EXPECT_DOUBLE_EQ(result.at("classification"), result.at("accuracy"));
    double loss = 0;
    for (const Classified& example : log.examples()) loss += example.loss / 70;
    EXPECT_NEAR(loss, result.at("loss"), 1e-5);
}

TEST(ClassificationLog, DrawsPicturesAsTheyAre) {
    const ImageDataset data = pictures(7);
    std::vector<Classified> examples(7, Classified{.label = 0, .predicted = 2, .probability = 0.9, .loss = 2});
    const Picture drawn = draw_classified(data, examples, "title");
    EXPECT_EQ(draw_classified(data.with_augmentation(), examples, "title").pixels, drawn.pixels);
    EXPECT_EQ(draw_classified(data.with_normalization({0, 0, 0}, {1, 1, 1}), examples, "title").pixels, drawn.pixels);
    // The first picture begins in the corner below the title; its pixels are enlarged 18 times.
    const Batch first = data.with_normalization({0, 0, 0}, {1, 1, 1}).batch(0, 1);
    for (int channel = 0; channel < 3; ++channel)
        EXPECT_EQ(drawn.at(10 + 9, 42 + 9)[channel],
                  std::lround(255 * first.inputs[0].to_vector<float>()[static_cast<std::size_t>(channel)]));
    examples.pop_back();
    EXPECT_NE(error_of([&] { draw_classified(data, examples); }).find("7 pictures and 6 examples"), std::string::npos);
    const auto [x, y] = moons(6);
    EXPECT_NE(error_of([&, x = x, y = y] { draw_classified(TensorDataset(x, y), examples); }).find("no pictures"),
              std::string::npos);
}

TEST(ClassificationLog, WhatDoesNotFit) {
    const ClassificationLog log;
    const Tensor logits = Tensor::zeros(Shape{2, 3});
    EXPECT_NE(error_of([&] { log.update(logits, Tensor::zeros(Shape{2})); }).find("do not go together"),
              std::string::npos);
    EXPECT_NE(error_of([&] { log.update(logits, Tensor::from<std::int64_t>({0}, Shape{1})); }).find("[2, 3]"),
              std::string::npos);
    EXPECT_NE(error_of([&] {
                  log.update(logits, Tensor::from<std::int64_t>({0, 3}, Shape{2}));
              }).find("label 3"),
              std::string::npos);
    EXPECT_NE(error_of([&] { log.set_state({1, 2}); }).find("a state of 2 numbers"), std::string::npos);
}

}  // namespace
}  // namespace heddle
