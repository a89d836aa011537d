#include <gtest/gtest.h>

#include "samples.h"
#include "tests/devices.h"

// Weights of examples and classes in steps that a device captures, of data that stays there or is sent, of several
// batches.
namespace heddle {
namespace {

using namespace samples;

const ClassWeight classes{{0, 0.5}, {1, 1.0}, {2, 3.0}};

Tensor weights(std::int64_t count) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i * 7 % 5) / 2);
    return Tensor::from(values, Shape{count});
}

struct Plan {
    Device device = {};
    bool by_sample = false;
    bool capture = true;
    std::optional<std::size_t> resident_bytes = {};
    std::int64_t batch_size = 8, accumulated = 1;
    Precision precision = Precision::f32;
};

struct Outcome {
    NamedTensors tensors;
    History history;
};

Outcome train(const Dataset& data, const Plan& plan) {
    set_seed(4);
    const Sequential model{Flatten(), Dense(8, {.activation = Activation::tanh}), Dense(3)};
    model.build(data.input_shapes());
    model.to(plan.device);
    model.compile({.optimizer = SGD({.learning_rate = 0.05, .momentum = 0.9}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"},
                   .weighted_metrics = {"accuracy"},
                   .precision = plan.precision});
    Outcome outcome;
    outcome.history = model.fit(data, {.epochs = 3,
                                       .batch_size = plan.batch_size,
                                       .gradient_accumulation_steps = plan.accumulated,
                                       .validation_data = pictures(20).with_sample_weight(weights(20)),
                                       .class_weight = plan.by_sample ? ClassWeight() : classes,
                                       .sample_weight = plan.by_sample ? weights(data.size()) : Tensor(),
                                       .verbose = 0,
                                       .seed = 2,
                                       .capture = plan.capture,
                                       .resident_bytes = plan.resident_bytes});
    for (const auto& [name, tensor] : all_tensors(model)) outcome.tensors.emplace_back(name, tensor.to(Device()));
    return outcome;
}

const auto columns = {"loss", "accuracy", "weighted_accuracy", "val_loss", "val_accuracy", "val_weighted_accuracy"};

void expect_same(const Outcome& a, const Outcome& b) {
    EXPECT_EQ(differing(a.tensors, b.tensors), "");
    for (const char* name : columns) EXPECT_EQ(a.history.at(name), b.history.at(name)) << name;
}

void expect_near(const Outcome& a, const Outcome& b, double tolerance) {
    for (const char* name : columns)
        for (std::size_t i = 0; i < 3; ++i)
            EXPECT_NEAR(a.history.at(name)[i], b.history.at(name)[i], tolerance) << name << " " << i;
    for (std::size_t k = 0; k < a.tensors.size(); ++k) {
        if (a.tensors[k].second.dtype() != DType::f32) continue;
        const auto x = a.tensors[k].second.to_vector<float>(), y = b.tensors[k].second.to_vector<float>();
        for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance) << a.tensors[k].first;
    }
}

TEST(WeightedTraining, OfPicturesByClassAndByExample) {
    const Dataset data = pictures(43).with_augmentation({.pad = 2});
    const Outcome by_class = train(data, {}), by_sample = train(data, {.by_sample = true});
    EXPECT_NE(by_class.history.at("accuracy"), by_class.history.at("weighted_accuracy"));
    EXPECT_NE(by_sample.history.at("accuracy"), by_sample.history.at("weighted_accuracy"));
    EXPECT_LT(by_class.history.at("loss")[2], by_class.history.at("loss")[0]);
    // The weights of the labels, example by example.
    std::vector<float> of_labels;
    for (const std::int64_t label : data.batch(0, 43).target.to_vector<std::int64_t>())
        of_labels.push_back(static_cast<float>(classes.at(label)));
    const Dataset weighted = data.with_sample_weight(Tensor::from(of_labels, Shape{43}));
    set_seed(4);
    const Sequential model{Flatten(), Dense(8, {.activation = Activation::tanh}), Dense(3)};
    model.compile({.optimizer = SGD({.learning_rate = 0.05, .momentum = 0.9}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    const History history = model.fit(weighted, {.epochs = 3, .batch_size = 8, .verbose = 0, .seed = 2});
    EXPECT_EQ(history.at("loss"), by_class.history.at("loss"));
}

TEST(WeightedTraining, OfSeveralBatchesIsThatOfALargeOne) {
    for (const bool by_sample : {false, true}) {
        const Dataset data = pictures(43);
        const Outcome large = train(data, {.by_sample = by_sample, .batch_size = 16});
        const Outcome small = train(data, {.by_sample = by_sample, .batch_size = 4, .accumulated = 4});
        expect_near(large, small, 1e-5);
    }
}

TEST(WeightedTraining, ResumesToTheSameBits) {
    const auto trained = [](std::int64_t steps, const std::string& place, bool resume) {
        set_seed(4);
        const Sequential model{Flatten(), Dense(3)};
        model.compile({.optimizer = "adam",
                       .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                       .weighted_metrics = {"accuracy"}});
        const History history = model.fit(pictures(43), {.epochs = 2,
                                                         .batch_size = 8,
                                                         .steps = steps,
                                                         .class_weight = classes,
                                                         .sample_weight = weights(43),
                                                         .verbose = 0,
                                                         .seed = 2,
                                                         .checkpoint_dir = place,
                                                         .resume = resume});
        return std::pair(all_tensors(model), history.at("accuracy"));
    };
    const std::string place = folder("weights");
    const auto whole = trained(0, "", false);
    trained(8, place, false);
    const auto resumed = trained(0, place, true);
    EXPECT_EQ(differing(whole.first, resumed.first), "");
    EXPECT_EQ(whole.second.back(), resumed.second.back());
    std::filesystem::remove_all(place);
}

class WeightedDeviceTraining : public testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(WeightedDeviceTraining);
INSTANTIATE_TEST_SUITE_P(Devices, WeightedDeviceTraining, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

TEST_P(WeightedDeviceTraining, CapturedAndResidentToTheSameBits) {
    const Dataset data = pictures(43).with_augmentation({.pad = 2}).slice(3, 43);
    for (const bool by_sample : {false, true})
        for (const std::int64_t accumulated : {1, 2}) {
            Plan plan{.device = GetParam(), .by_sample = by_sample, .accumulated = accumulated};
            const Outcome kept = train(data, plan);
            EXPECT_TRUE(kept.history.resident);
            EXPECT_GE(kept.history.replayed_steps, accumulated == 1 ? 14 : 4);
            EXPECT_GT(kept.history.replayed_evaluations, 4);
            plan.resident_bytes = 0;
            const Outcome sent = train(data, plan);
            EXPECT_FALSE(sent.history.resident);
            EXPECT_EQ(sent.history.replayed_steps, kept.history.replayed_steps);
            plan.capture = false;
            const Outcome eager = train(data, plan);
            EXPECT_EQ(eager.history.replayed_steps, 0);
            expect_same(kept, sent);
            expect_same(kept, eager);
            plan.device = Device();
            expect_near(kept, train(data, plan), 2e-4);
        }
}

// With loss scaling, which skips steps.
TEST_P(WeightedDeviceTraining, InHalfPrecision) {
    Plan plan{.device = GetParam(), .precision = Precision::f16};
    const Outcome captured = train(pictures(40), plan);
    EXPECT_GT(captured.history.replayed_steps, 10);
    EXPECT_LT(captured.history.at("loss")[2], captured.history.at("loss")[0] / 4);
    plan.capture = false;
    expect_same(captured, train(pictures(40), plan));
}

// Rows of tensors, several steps each, of which a mask leaves some out; labels of the others are nonsense.
TEST_P(WeightedDeviceTraining, OfMaskedSequences) {
    Generator generator(3);
    std::vector<std::int64_t> x, y;
    std::vector<float> of_steps;
    for (std::int64_t i = 0; i < 43 * 5; ++i) {
        const bool counts = i % 5 <= i / 5 % 5;
        x.push_back(counts ? 1 + static_cast<std::int64_t>(generator.below(5)) : 0);
        y.push_back(counts ? x.back() % 2 : -100);
        of_steps.push_back(counts ? 0.25f * static_cast<float>(i % 3) + 0.5f : 1e6f);
    }
    const Tensor tokens = Tensor::from(x, Shape{43, 5}), labels = Tensor::from(y, Shape{43, 5});
    const auto trained = [&](Device device) {
        set_seed(7);
        const Sequential model{Embedding(6, 4, {.mask_zero = true}), Dense(2)};
        model.build(Shape{5});
        model.to(device);
        model.compile({.optimizer = Adam({.learning_rate = 0.02f}),
                       .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                       .weighted_metrics = {"accuracy"}});
        const History history = model.fit(tokens, labels,
                                          {.epochs = 3,
                                           .batch_size = 8,
                                           .class_weight = {{0, 1.0}, {1, 2.0}},
                                           .sample_weight = Tensor::from(of_steps, Shape{43, 5}),
                                           .verbose = 0,
                                           .seed = 1});
        return history;
    };
    const History host = trained(Device()), here = trained(GetParam());
    EXPECT_GT(here.replayed_steps, 10);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_LT(host.at("loss")[i], 3);  // a weight of 1e6 that counted would be seen
        EXPECT_NEAR(here.at("loss")[i], host.at("loss")[i], 1e-4) << i;
        EXPECT_NEAR(here.at("accuracy")[i], host.at("accuracy")[i], 1e-4) << i;
    }
}

}  // namespace
}  // namespace heddle
