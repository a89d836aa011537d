#include <gtest/gtest.h>

#include <filesystem>

#include "samples.h"
#include "tests/devices.h"

// Steps of several batches: those of one large batch.
namespace heddle {
namespace {

using namespace samples;

struct Plan {
    std::int64_t batch_size = 4, accumulated = 4;
    Device device = {};
    bool capture = true;
    Precision precision = Precision::f32;
    bool dropout = false;
    std::int64_t steps = 0;
    std::string folder = {};
    bool resume = false;
};

/// 43 examples: two steps of 16 and one of 11, which is two batches of 4 and one of 3.
std::pair<Model, History> trained(const Plan& plan) {
    set_seed(4);
    std::vector<Layer> layers{Flatten(), Dense(8, {.activation = Activation::tanh})};
    if (plan.dropout) layers.push_back(Dropout(0.3f));
    layers.push_back(Dense(3));
    const Sequential model(layers);
    model.build(Shape{8, 8, 3});
    model.to(plan.device);
    model.compile({.optimizer = SGD({.learning_rate = CosineDecay({.initial_learning_rate = 0.1, .decay_steps = 9}),
                                     .momentum = 0.9,
                                     .weight_decay = 0.01}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"},
                   .l2 = 0.01,
                   .precision = plan.precision});
    const History history = model.fit(pictures(43), {.epochs = 3,
                                                     .batch_size = plan.batch_size,
                                                     .gradient_accumulation_steps = plan.accumulated,
                                                     .steps = plan.steps,
                                                     .verbose = 0,
                                                     .seed = 7,
                                                     .checkpoint_dir = plan.folder,
                                                     .resume = plan.resume,
                                                     .capture = plan.capture});
    return {model, history};
}

void expect_near(const Model& a, const Model& b, double tolerance) {
    const NamedTensors first = a.parameters(), second = b.parameters();
    for (std::size_t k = 0; k < first.size(); ++k) {
        const auto x = first[k].second.to_vector<float>(), y = second[k].second.to_vector<float>();
        for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance) << first[k].first;
    }
}

TEST(Accumulation, IsTheTrainingWithLargerBatches) {
    const auto [large, expected] = trained({.batch_size = 16, .accumulated = 1});
    const auto [small, history] = trained({});
    EXPECT_EQ(small.optimizer().iterations(), 9);
    expect_near(large, small, 2e-6);
    for (const char* name : {"loss", "accuracy", "learning_rate"})
        for (std::size_t epoch = 0; epoch < 3; ++epoch)
            EXPECT_NEAR(history.at(name)[epoch], expected.at(name)[epoch], 1e-5) << name;
    // The tolerance tells it from training with small batches.
    const auto [other, unused] = trained({.accumulated = 1});
    EXPECT_GT(std::abs(other.parameters()[0].second.to_vector<float>()[0] -
                       large.parameters()[0].second.to_vector<float>()[0]),
              1e-5);
}

TEST(Accumulation, CallbacksCountSteps) {
    set_seed(1);
    Sequential model{Flatten(), Dense(3)};
    model.compile({.optimizer = "sgd", .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    std::vector<std::int64_t> samples;
    const LambdaCallback count({.on_batch_end = [&](Training& t) {
        EXPECT_EQ(t.steps_per_epoch, 3);
        samples.push_back(t.samples);
    }});
    model.fit(pictures(43), {.batch_size = 4, .gradient_accumulation_steps = 4, .verbose = 0, .callbacks = {count}});
    EXPECT_EQ(samples, (std::vector<std::int64_t>{16, 32, 43}));
}

TEST(Accumulation, ResumesToTheSameBits) {
    const std::string place = folder("accumulation");
    const auto [whole, expected] = trained({.dropout = true});
    trained({.dropout = true, .steps = 4, .folder = place});
    const auto [resumed, history] = trained({.dropout = true, .folder = place, .resume = true});
    EXPECT_EQ(differing(all_tensors(whole), all_tensors(resumed)), "");
    EXPECT_EQ(history.at("loss"), expected.at("loss"));
    EXPECT_NE(error_of([&] {
                  trained({.accumulated = 2, .dropout = true, .folder = place, .resume = true});
              }).find("made with gradient_accumulation_steps 4, now it is 2"),
              std::string::npos);
    std::filesystem::remove_all(place);
}

TEST(Accumulation, RefusesNonsense) {
    EXPECT_EQ(error_of([] { trained({.accumulated = 0}); }),
              "fit: gradient_accumulation_steps must be positive, got 0");
}

class DeviceAccumulation : public testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceAccumulation);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceAccumulation, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

TEST_P(DeviceAccumulation, CapturedStepsGiveTheBitsOfEagerOnes) {
    for (const Precision precision : {Precision::f32, Precision::f16}) {
        Plan plan{.device = GetParam(), .precision = precision, .dropout = true};
        const auto [captured, history] = trained(plan);
        plan.capture = false;
        const auto [eager, unused] = trained(plan);
        EXPECT_GT(history.replayed_steps, 3);
        EXPECT_EQ(unused.replayed_steps, 0);
        const NamedTensors a = captured.parameters(), b = eager.parameters();
        for (std::size_t i = 0; i < a.size(); ++i)
            EXPECT_EQ(a[i].second.to_vector<float>(), b[i].second.to_vector<float>()) << a[i].first;
    }
}

TEST_P(DeviceAccumulation, IsTheTrainingWithLargerBatchesInSixteenBitsToo) {
    expect_near(trained({.device = GetParam()}).first, trained({.batch_size = 16, .accumulated = 1}).first, 1e-5);
    const auto small = trained({.device = GetParam(), .precision = Precision::f16}).first;
    const auto large =
        trained({.batch_size = 16, .accumulated = 1, .device = GetParam(), .precision = Precision::f16}).first;
    expect_near(small, large, 3e-3);
    EXPECT_EQ(small.optimizer().loss_scale(), large.optimizer().loss_scale());
}

}  // namespace
}  // namespace heddle
