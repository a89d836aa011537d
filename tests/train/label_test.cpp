#include <gtest/gtest.h>

#include "samples.h"
#include "tests/devices.h"

// Labels that are no class of the model, in data that a device trains on: an error that names the example, as on the
// CPU, though the device itself cannot report them.
namespace heddle {
namespace {

using namespace samples;

class DeviceLabels : public testing::TestWithParam<Device> {
  protected:
    /// 40 examples of three classes.
    DeviceLabels() {
        std::vector<float> x;
        for (std::int64_t i = 0; i < 40; ++i) {
            labels.push_back(i % 3);
            for (std::int64_t k = 0; k < 4; ++k) x.push_back(static_cast<float>((i * 5 + k) % 7) / 7);
        }
        inputs = Tensor::from(x, Shape{40, 4});
    }
    Tensor targets() const { return Tensor::from(labels, Shape{40}); }
    Sequential model(const Loss& loss) const {
        set_seed(4);
        const Sequential result{Dense(3)};
        result.build(Shape{4});
        result.to(GetParam());
        result.compile({.optimizer = SGD({.learning_rate = 0.1}), .loss = loss, .metrics = {"accuracy"}});
        return result;
    }
    static FitOptions options(std::optional<std::size_t> resident_bytes = {}) {
        return {.epochs = 2, .batch_size = 8, .verbose = 0, .seed = 1, .resident_bytes = resident_bytes};
    }

    const Loss entropy = SparseCategoricalCrossentropy({.from_logits = true});
    std::vector<std::int64_t> labels;
    Tensor inputs;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceLabels);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceLabels, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

TEST_P(DeviceLabels, ABadOneIsNamed) {
    labels[29] = 3;
    const std::string message = "label 3 of example 29 is none of the model's classes, 0 to 2";
    for (const Loss& loss :
         {entropy, Loss(SparseCategoricalCrossentropy()), Loss(CategoricalCrossentropy({.from_logits = true}))}) {
        EXPECT_EQ(error_of([&] { model(loss).fit(inputs, targets(), options()); }), "training: " + message);
        EXPECT_EQ(error_of([&] { model(loss).evaluate(inputs, targets()); }), "evaluation: " + message);
    }
    const Tensor pairs = Tensor::from(labels, Shape{20, 2});
    EXPECT_NE(error_of([&] { model(entropy).evaluate(inputs.slice(0, 20), pairs); }).find("so labels must be"),
              std::string::npos);
    const Dataset part = TensorDataset(inputs, targets()).slice(20, 40);
    EXPECT_EQ(error_of([&] { model(entropy).fit(part, options()); }),
              "training: label 3 of example 9 is none of the model's classes, 0 to 2");
    EXPECT_EQ(error_of([&] { model(entropy).train_on_batch(inputs, targets()); }),
              "training: label 3 of example 29 of a batch is none of the model's classes, 0 to 2");
}

TEST_P(DeviceLabels, ABadOneIsNamedInBatchesThatAreSent) {
    labels[29] = -7;
    const std::string message = "label -7 of example 5 of a batch is none of the model's classes, 0 to 2";
    EXPECT_EQ(error_of([&] { model(entropy).evaluate(inputs, targets(), {.batch_size = 8, .resident_bytes = 0}); }),
              "evaluation: " + message);
    FitOptions in_order = options(0);
    in_order.shuffle = false;
    EXPECT_EQ(error_of([&] { model(entropy).fit(inputs, targets(), in_order); }), "training: " + message);
}

TEST_P(DeviceLabels, OneThatTheLossIgnoresIsGood) {
    labels[3] = labels[29] = -1;
    const Loss ignoring = SparseCategoricalCrossentropy({.from_logits = true, .ignore_class = -1});
    for (const std::optional<std::size_t> resident : {std::optional<std::size_t>(), std::optional<std::size_t>(0)}) {
        const History history = model(ignoring).fit(inputs, targets(), options(resident));
        EXPECT_TRUE(std::isfinite(history.at("loss").back()));
        EXPECT_GT(history.replayed_steps, 0);
    }
    labels[35] = 8;
    EXPECT_EQ(error_of([&] { model(ignoring).fit(inputs, targets(), options()); }),
              "training: label 8 of example 35 is none of the model's classes, 0 to 2");
}

/// What stands at steps behind a sequence's end is nobody's business.
TEST_P(DeviceLabels, OneAtAMaskedStepIsGood) {
    set_seed(2);
    const Sequential tagger{Embedding(6, 4, {.mask_zero = true}), Dense(3)};
    tagger.build(Shape{4});
    tagger.to(GetParam());
    tagger.compile({.optimizer = SGD({.learning_rate = 0.1}), .loss = entropy});
    const Tensor tokens = Tensor::from({1, 2, 3, 0, 4, 5, 0, 0}, Shape{2, 4});
    const Tensor tags = Tensor::from({0, 1, 2, 99, 1, 0, -5, 99}, Shape{2, 4});
    const History history = tagger.fit(tokens, tags, {.epochs = 2, .batch_size = 2, .verbose = 0});
    EXPECT_TRUE(std::isfinite(history.at("loss").back()));
}

// The loss of a user's own is not looked through: the loss is NaN, and nothing outside the tensors is read.
TEST_P(DeviceLabels, ABadOneInALossOfOnesOwnMakesItNaN) {
    labels[29] = 1'000'000'000;
    const Loss own("own", [](const Tensor& p, const Tensor& t) { return ops::cross_entropy(p, t); });
    const History history = model(own).fit(inputs, targets(), options());
    EXPECT_TRUE(std::isnan(history.at("loss").back()));
}

TEST_P(DeviceLabels, ABadOneIsNotAmongTheTopK) {
    labels.assign(40, 1);
    labels[29] = 77;
    const Loss own("own", [](const Tensor& p, const Tensor&) { return ops::mean(p); });
    const Sequential ranking = model(own);
    ranking.compile({.optimizer = "sgd", .loss = own, .metrics = {TopKCategoricalAccuracy(3)}});
    EXPECT_FLOAT_EQ(static_cast<float>(ranking.evaluate(inputs, targets()).at("top_k_categorical_accuracy")),
                    39.0f / 40);
}

}  // namespace
}  // namespace heddle
