#include <gtest/gtest.h>

#include <map>

#include "core/profile.h"
#include "samples.h"
#include "tests/devices.h"

// Data that stays in a device's memory: batches, training and results with the bits that data on the host gives.
namespace heddle {
namespace {

using namespace samples;

class ResidentDeviceTraining : public testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ResidentDeviceTraining);
INSTANTIATE_TEST_SUITE_P(Devices, ResidentDeviceTraining, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

/// Ways to augment: none, all that zero padding allows, all that mirrored padding allows.
std::vector<Dataset> picture_sets() {
    const Dataset plain = pictures(43);
    std::vector<std::int64_t> some;
    for (std::int64_t i = 0; i < 21; ++i) some.push_back(i * 17 % 43);
    return {plain,
            plain.with_augmentation({.pad = 2, .alternating_flip = true, .cutout = 3}),
            plain.with_normalization({}, {}).with_augmentation({.padding = Augmentation::Padding::reflect}),
            plain.with_normalization({0, 0.5f, 0.25f}, {}).with_augmentation({.pad = 3, .flip = false}),
            plain.with_augmentation().select(some).slice(1, 20),
            plain.slice(7, 40).with_augmentation({.pad = 0, .cutout = 4})};
}

/// What a model was given, batch after batch: inputs widened to f32, and targets.
struct Seen {
    std::vector<std::vector<float>> inputs = {};
    std::vector<std::vector<std::int64_t>> targets = {};
    DType dtype = DType::f32;
    bool resident = false;
};

struct Plan {
    Device device = {};
    Precision precision = Precision::f32;
    std::optional<std::size_t> resident_bytes = {};
    bool capture = true;
    bool shuffle = true;
};

/// Two epochs, as far as the model sees them.
Seen batches(const Dataset& data, const Plan& plan) {
    set_seed(1);
    Seen seen;
    bool looking = false;
    const Sequential model{Lambda(
                               [&](const Tensor& x) {
                                   if (looking) {
                                       seen.inputs.push_back(x.detach().to_vector<float>());
                                       seen.dtype = x.dtype();
                                   }
                                   return x;
                               },
                               [](const Shape& shape) { return shape; }),
                           Flatten(), Dense(3)};
    model.build(data.input_shapes());
    model.to(plan.device);
    model.compile({.optimizer = "sgd",
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {Metric("targets",
                                      [&](const Tensor&, const Tensor& target) {
                                          seen.targets.push_back(target.to_vector<std::int64_t>());
                                          return 0.0;
                                      })},
                   .precision = plan.precision});
    looking = true;
    const History history = model.fit(data, {.epochs = 2,
                                             .batch_size = 8,
                                             .shuffle = plan.shuffle,
                                             .verbose = 0,
                                             .seed = 9,
                                             .resident_bytes = plan.resident_bytes});
    seen.resident = history.resident;
    return seen;
}

void expect_same(const Seen& a, const Seen& b, const char* what) {
    EXPECT_EQ(a.targets, b.targets) << what;
    ASSERT_EQ(a.inputs.size(), b.inputs.size()) << what;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
        ASSERT_EQ(a.inputs[i].size(), b.inputs[i].size());
        EXPECT_EQ(std::memcmp(a.inputs[i].data(), b.inputs[i].data(), a.inputs[i].size() * sizeof(float)), 0)
            << what << ": batch " << i;
    }
}

TEST_P(ResidentDeviceTraining, BatchesHaveTheBitsOfTheHosts) {
    for (const Dataset& data : picture_sets()) {
        const Seen cpu = batches(data, {});
        ASSERT_GE(cpu.inputs.size(), 6u);
        EXPECT_FALSE(cpu.resident);
        const Seen here = batches(data, {.device = GetParam()});
        EXPECT_TRUE(here.resident);
        expect_same(here, cpu, "f32 beside the CPU");
        const Seen sent = batches(data, {.device = GetParam(), .precision = Precision::bf16, .resident_bytes = 0});
        EXPECT_FALSE(sent.resident);
        const Seen kept = batches(data, {.device = GetParam(), .precision = Precision::bf16});
        EXPECT_TRUE(kept.resident);
        EXPECT_EQ(kept.dtype, DType::bf16);
        expect_same(kept, sent, "bf16, kept beside sent");
    }
}

TEST_P(ResidentDeviceTraining, InOrderToo) {
    const Dataset data = pictures(43).with_augmentation();
    const Seen cpu = batches(data, {.shuffle = false}), here = batches(data, {.device = GetParam(), .shuffle = false});
    EXPECT_TRUE(here.resident);
    EXPECT_NE(here.inputs[0], here.inputs[6]);  // the other epoch's first
    EXPECT_EQ(here.targets[0], here.targets[6]);
    expect_same(here, cpu, "in order");
}

struct Outcome {
    NamedTensors tensors = {};
    History history = {};
};

struct Job {
    Plan plan = {};
    std::int64_t accumulated = 1, epochs = 3, steps = 0;
    std::string folder = {};
    bool resume = false;
};

Outcome train(const Dataset& data, const Job& job) {
    set_seed(4);
    const Sequential model{Conv2D(4, 3, {.activation = Activation::relu}), BatchNormalization(), Flatten(),
                           Dropout(0.2f), Dense(3)};
    model.build(data.input_shapes());
    model.to(job.plan.device);
    model.compile({.optimizer = SGD({.learning_rate = CosineDecay({.initial_learning_rate = 0.1, .decay_steps = 20}),
                                     .momentum = 0.9}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"},
                   .precision = job.plan.precision});
    Outcome outcome;
    outcome.history = model.fit(data, {.epochs = job.epochs,
                                       .batch_size = 8,
                                       .gradient_accumulation_steps = job.accumulated,
                                       .steps = job.steps,
                                       .validation_data = pictures(30).slice(3, 30),
                                       .verbose = 0,
                                       .seed = 2,
                                       .checkpoint_dir = job.folder,
                                       .resume = job.resume,
                                       .capture = job.plan.capture,
                                       .resident_bytes = job.plan.resident_bytes});
    for (const auto& [name, tensor] : all_tensors(model)) outcome.tensors.emplace_back(name, tensor.to(Device()));
    return outcome;
}

void expect_same(const Outcome& a, const Outcome& b) {
    EXPECT_EQ(differing(a.tensors, b.tensors), "");
    for (const char* name : {"loss", "accuracy", "val_loss", "val_accuracy"})
        EXPECT_EQ(a.history.at(name), b.history.at(name)) << name;
}

TEST_P(ResidentDeviceTraining, TrainsToTheSameBitsCapturedOrNot) {
    const Dataset data = pictures(43).with_augmentation({.pad = 2, .cutout = 2});
    for (const auto& [precision, accumulated] :
         {std::pair(Precision::f32, std::int64_t{1}), std::pair(Precision::bf16, std::int64_t{2})}) {
        Job job{.plan = {.device = GetParam(), .precision = precision}, .accumulated = accumulated};
        const Outcome kept = train(data, job);
        job.plan.capture = false;
        const Outcome eager = train(data, job);
        job.plan.resident_bytes = 0;
        const Outcome sent = train(data, job);
        job.plan.capture = true;
        const Outcome sent_captured = train(data, job);
        EXPECT_TRUE(kept.history.resident && eager.history.resident);
        EXPECT_FALSE(sent.history.resident || sent_captured.history.resident);
        EXPECT_EQ(kept.history.replayed_steps, sent_captured.history.replayed_steps);
        EXPECT_GE(kept.history.replayed_steps, accumulated == 1 ? 14 : 5);
        EXPECT_EQ(eager.history.replayed_steps, 0);
        // 27 pictures in batches of 8: three and a short one, of which the very first batch is not a replay.
        EXPECT_EQ(kept.history.replayed_evaluations, 8);
        EXPECT_EQ(sent_captured.history.replayed_evaluations, 8);
        EXPECT_EQ(eager.history.replayed_evaluations, 0);
        expect_same(kept, eager);
        expect_same(kept, sent);
        expect_same(kept, sent_captured);
    }
}

TEST_P(ResidentDeviceTraining, ResumesInsideAnEpoch) {
    const Dataset data = pictures(43).with_augmentation();
    const Plan plan{.device = GetParam()};
    const Outcome whole = train(data, {.plan = plan});
    const std::string kept = folder("resident");
    train(data, {.plan = plan, .steps = 8, .folder = kept});
    const Outcome resumed = train(data, {.plan = plan, .folder = kept, .resume = true});
    EXPECT_EQ(differing(whole.tensors, resumed.tensors), "");
    EXPECT_EQ(whole.history.at("loss").back(), resumed.history.at("loss").back());
    std::filesystem::remove_all(kept);
}

/// Two inputs of several types, and targets that are no labels.
TensorDataset rows(std::int64_t count) {
    Generator generator(8);
    std::vector<float> x, y;
    std::vector<std::int64_t> tokens;
    for (std::int64_t i = 0; i < count; ++i) {
        for (int k = 0; k < 3; ++k) x.push_back(static_cast<float>(generator.below(1000)) / 500 - 1);
        for (int k = 0; k < 4; ++k) tokens.push_back(static_cast<std::int64_t>(generator.below(7)));
        y.insert(y.end(), {x[x.size() - 1] - x[x.size() - 2], static_cast<float>(tokens.back())});
    }
    return TensorDataset({Tensor::from(x, Shape{count, 3}), Tensor::from(tokens, Shape{count, 4})},
                         Tensor::from(y, Shape{count, 2}));
}

TEST_P(ResidentDeviceTraining, RowsOfTensorsWithSeveralInputs) {
    const auto trained = [&](const FitOptions& options, const Dataset& data) {
        set_seed(6);
        const Symbol x = Input(Shape{3}), tokens = Input(Shape{4});
        const Model model({x, tokens}, {Dense(2)(Concatenate()({Dense(4)(x), Flatten()(Embedding(7, 2)(tokens))}))});
        model.to(GetParam());
        model.compile({.optimizer = "adam", .loss = "mse", .metrics = {"mae"}});
        Outcome outcome{.history = model.fit(data, options)};
        for (const auto& [name, tensor] : all_tensors(model)) outcome.tensors.emplace_back(name, tensor.to(Device()));
        return outcome;
    };
    const Dataset all = rows(53);
    for (const Dataset& data : {all, all.split(0.3, 5).first}) {
        FitOptions options{.epochs = 3, .batch_size = 8, .validation_split = 0.3, .verbose = 0, .seed = 1};
        const Outcome kept = trained(options, data);
        EXPECT_TRUE(kept.history.resident);
        EXPECT_GT(kept.history.replayed_steps, 5);
        options.resident_bytes = 0;
        options.capture = false;
        const Outcome sent = trained(options, data);
        EXPECT_FALSE(sent.history.resident);
        EXPECT_EQ(differing(kept.tensors, sent.tensors), "");
        for (const char* name : {"loss", "mae", "val_loss", "val_mae"})
            EXPECT_EQ(kept.history.at(name), sent.history.at(name)) << name;
    }
}

std::map<std::string, std::uint64_t> calls_of(const std::function<void()>& body) {
    set_profiling(true);
    body();
    std::map<std::string, std::uint64_t> calls;
    for (const ProfileEntry& entry : profile()) calls[entry.name] = entry.calls;
    set_profiling(false);
    return calls;
}

Sequential classifier(Device device, Precision precision = Precision::f32, std::vector<Metric> metrics = {"accuracy"}) {
    set_seed(3);
    Sequential model{Conv2D(4, 3), BatchNormalization(), ReLU(), Flatten(), Dense(3)};
    model.build(Shape{8, 8, 3});
    model.to(device);
    model.compile({.optimizer = "sgd",
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = std::move(metrics),
                   .l2 = 0.01,
                   .precision = precision});
    return model;
}

TEST_P(ResidentDeviceTraining, EvaluatesByReplaysToTheSameBits) {
    const Dataset data = pictures(45).with_augmentation();
    for (const auto& [precision, augmentation] : {std::pair(Precision::f32, TestAugmentation::none),
                                                  std::pair(Precision::bf16, TestAugmentation::flip_shift)}) {
        const Sequential model = classifier(GetParam(), precision);
        EvaluateOptions options{.batch_size = 8, .test_augmentation = augmentation};
        Result kept;
        const auto calls = calls_of([&] { kept = model.evaluate(data, options); });
        // Five whole batches and a short one: the first and the short one are queued, and the second to be
        // recorded.
        EXPECT_EQ(calls.at("image_batch"), 3u);
        options.capture = false;
        Result eager;
        EXPECT_EQ(calls_of([&] { eager = model.evaluate(data, options); }).at("image_batch"), 6u);
        options.resident_bytes = 0;
        Result sent;
        EXPECT_EQ(calls_of([&] { sent = model.evaluate(data, options); }).count("image_batch"), 0u);
        options.capture = true;
        const Result sent_captured = model.evaluate(data, options);
        for (const auto& [name, value] : eager) {
            EXPECT_EQ(kept.at(name), value) << name;
            EXPECT_EQ(sent.at(name), value) << name;
            EXPECT_EQ(sent_captured.at(name), value) << name;
        }
    }
}

TEST_P(ResidentDeviceTraining, PredictsByReplaysToTheSameBits) {
    const Sequential model = classifier(GetParam());
    const Dataset data = pictures(45);
    const Tensor x = data.batch(0, 45).inputs[0];
    std::vector<float> pieces;
    for (std::int64_t first = 0; first < 45; first += 8)
        for (const float value :
             model.predict(x.slice(first, std::min<std::int64_t>(first + 8, 45))).to_vector<float>())
            pieces.push_back(value);
    Tensor predicted;
    const auto calls = calls_of([&] { predicted = model.predict(data, 8); });
    EXPECT_EQ(calls.at("image_batch"), 3u);
    EXPECT_EQ(predicted.device(), Device());
    EXPECT_EQ(predicted.to_vector<float>(), pieces);
    EXPECT_EQ(model.predict(x, 8).to_vector<float>(), pieces);
    const Tensor there = model.predict(x.to(GetParam()), 8);
    EXPECT_EQ(there.device(), GetParam());
    EXPECT_EQ(there.to_vector<float>(), pieces);
}

TEST_P(ResidentDeviceTraining, AMetricOfTheHostsOwnIsEvaluatedEagerly) {
    std::int64_t updates = 0;
    const auto count = [&](const Tensor& prediction, const Tensor&) {
        ++updates;
        return prediction.flatten().max(0).item();
    };
    const Sequential model = classifier(GetParam(), Precision::f32, {Metric("largest", count)});
    model.evaluate(pictures(45), {.batch_size = 8});
    EXPECT_EQ(updates, 6);
}

/// A data set of a user's own, who knows nothing of devices.
class Own : public DatasetImpl {
  public:
    std::int64_t size() const override { return 23; }  // like no other here: what was said is not said again
    std::vector<Shape> input_shapes() const override { return {Shape{8, 8, 3}}; }
    std::vector<DType> input_dtypes() const override { return {DType::f32}; }
    Shape target_shape() const override { return Shape{}; }
    DType target_dtype() const override { return DType::i64; }
    void fill(std::span<const std::int64_t> indices, const FillContext&, Batch& batch) const override {
        batch.inputs[0].fill_(0.5);
        for (std::size_t i = 0; i < indices.size(); ++i) batch.target.data<std::int64_t>()[i] = indices[i] % 3;
    }
};

TEST_P(ResidentDeviceTraining, WhatDoesNotStayIsSentAndSaidOnce) {
    const Sequential model = classifier(GetParam());
    const auto log_of = [&](const Dataset& data, std::optional<std::size_t> limit, bool expected) {
        testing::internal::CaptureStderr();
        const History history = model.fit(data, {.batch_size = 8, .verbose = 0, .seed = 1, .resident_bytes = limit});
        EXPECT_EQ(history.resident, expected);
        return testing::internal::GetCapturedStderr();
    };
    const Dataset data = pictures(43);
    const std::size_t bytes = 43 * (8 * 8 * 3 + 8 + 25);  // pixels, label, and the plan of an epoch
    EXPECT_EQ(log_of(data, {}, true), "");
    EXPECT_EQ(log_of(data, bytes, true), "");
    EXPECT_EQ(log_of(data, 0, false), "");  // as was wished
    const std::string small = log_of(data, bytes - 1, false);
    EXPECT_NE(small.find("1 MiB of examples do not stay on " + GetParam().to_string()), std::string::npos) << small;
    EXPECT_EQ(log_of(data, bytes - 1, false), "");
    const std::string own = log_of(Dataset(std::make_shared<Own>()), {}, false);
    EXPECT_NE(own.find("(23 examples) are made on the host"), std::string::npos) << own;
    EXPECT_EQ(log_of(Dataset(std::make_shared<Own>()), {}, false), "");
}

}  // namespace
}  // namespace heddle
