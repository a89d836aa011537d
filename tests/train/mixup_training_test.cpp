#include <gtest/gtest.h>

#include "samples.h"
#include "tests/devices.h"

// Training with distributions as targets, validation with labels.
namespace heddle {
namespace {

using namespace samples;

Tensor logits() { return Tensor::from<float>({1, 2, 0.5f, -1, 0, 3}, Shape{2, 3}); }

TEST(MixupTraining, CategoricalCrossentropyTakesLabelsToo) {
    const Tensor labels = Tensor::from<std::int64_t>({1, 0}, Shape{2});
    for (const bool from_logits : {true, false}) {
        const Tensor x = from_logits ? logits() : Tensor::full(Shape{2, 3}, 0.25);
        const double wanted =
            SparseCategoricalCrossentropy({.from_logits = from_logits, .label_smoothing = 0.2f})(x, labels).item();
        const CategoricalCrossentropy loss({.from_logits = from_logits, .label_smoothing = 0.2f});
        EXPECT_EQ(loss(x, labels).item(), wanted);
        EXPECT_EQ(loss(x, labels.to(DType::i32).reshape(Shape{2, 1})).item(), wanted);
        EXPECT_NEAR(loss(x, Tensor::from<std::int64_t>({0, 1, 0, 1, 0, 0}, Shape{2, 3})).item(), wanted, 1e-6);
    }
    const CategoricalCrossentropy loss({.from_logits = true});
    EXPECT_NE(error_of([&] { loss(logits(), Tensor::zeros(Shape{2})); }).find("integer labels [2]"), std::string::npos);
    EXPECT_NE(error_of([&] { loss(logits(), Tensor::zeros(Shape{3}, {DType::i64})); }).find("are i64 [3]"),
              std::string::npos);
    // A mixture's loss is the mixture of the losses (Zhang et al. 2018).
    const Tensor mixed = Tensor::from<float>({0.25f, 0.75f, 0, 0, 0.75f, 0.25f}, Shape{2, 3});
    EXPECT_NEAR(loss(logits(), mixed).item(),
                0.75 * loss(logits(), Tensor::from<std::int64_t>({1, 1}, Shape{2})).item() +
                    0.25 * loss(logits(), Tensor::from<std::int64_t>({0, 2}, Shape{2})).item(),
                1e-6);
}

TEST(MixupTraining, AccuracyIsAgainstTheMostProbableClass) {
    const Metric accuracy("accuracy");
    accuracy.update(logits(), Tensor::from<float>({0.3f, 0.6f, 0.1f, 0.9f, 0, 0.1f}, Shape{2, 3}));
    EXPECT_EQ(accuracy.result(), 0.5);
    accuracy.update(logits(), Tensor::from<std::int64_t>({1, 2}, Shape{2}));  // labels in the same epoch
    EXPECT_EQ(accuracy.result(), 0.75);
}

/// The mean loss of the last epoch, the validation's accuracy, and the weights.
struct Outcome {
    double loss, accuracy, own_accuracy;
    std::int64_t replayed;
    std::vector<float> weights;
};

Outcome trained(Device device, double alpha, bool capture = true) {
    set_seed(9);
    Sequential model{Flatten(), Dense(3)};
    model.build(Shape{8, 8, 3});
    model.to(device);
    model.compile({.optimizer = Adam({.learning_rate = 0.01}),
                   .loss = CategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"}});
    const Mixup mixed(pictures(64), {.alpha = alpha});
    const History history = model.fit(
        mixed,
        {.epochs = 8, .batch_size = 16, .validation_data = pictures(30), .verbose = 0, .seed = 3, .capture = capture});
    return {history.at("loss").back(), history.at("val_accuracy").back(), model.evaluate(mixed).at("accuracy"),
            history.replayed_steps, model.parameters()[0].second.to_vector<float>()};
}

TEST(MixupTraining, LearnsAndValidatesWithLabels) {
    const Outcome plain = trained(Device(), 0), mixed = trained(Device(), 1);
    EXPECT_GT(mixed.accuracy, 0.9);
    EXPECT_GT(mixed.own_accuracy, 0.9);
    EXPECT_GT(mixed.loss, plain.loss + 0.1) << "mixed targets cannot be met";
}

class DeviceMixup : public testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceMixup);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceMixup, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

TEST_P(DeviceMixup, CapturedStepsTakeDistributions) {
    const Outcome cpu = trained(Device(), 1), captured = trained(GetParam(), 1), eager = trained(GetParam(), 1, false);
    EXPECT_EQ(captured.weights, eager.weights);
    EXPECT_EQ(captured.replayed, 31);
    EXPECT_NEAR(captured.loss, cpu.loss, 1e-4);
    EXPECT_EQ(captured.accuracy, cpu.accuracy);
}

}  // namespace
}  // namespace heddle
