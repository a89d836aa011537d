#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "core/allocator.h"
#include "core/graph.h"
#include "core/stream.h"
#include "heddle.h"
#include "tests/devices.h"

// Training on a device: the same as on the CPU, step by step, captured or not, in 16 bits too.
namespace {

using namespace heddle;

/// Pictures of three classes that differ in brightness, more of them than whole batches.
struct Data {
    Tensor x, y;
};

Data pictures(std::int64_t count, const Shape& shape) {
    std::vector<float> values;
    std::vector<std::int64_t> labels;
    Generator generator(11);
    for (std::int64_t i = 0; i < count; ++i) {
        labels.push_back(static_cast<std::int64_t>(generator.below(3)));
        for (std::int64_t k = 0; k < shape.elements(); ++k)
            values.push_back(static_cast<float>(generator.below(1000)) / 1000.0f - 0.5f +
                             0.2f * static_cast<float>(labels.back()));
    }
    Shape all{count};
    for (const std::int64_t extent : shape) all.push_back(extent);
    return {Tensor::from(values, all), Tensor::from(labels, Shape{count})};
}

Sequential cnn() {
    return Sequential{Conv2D(4, 3, {.activation = Activation::relu}),
                      MaxPooling2D(2),
                      Conv2D(6, 3, {.padding = Padding::same}),
                      BatchNormalization(),
                      ReLU(),
                      Flatten(),
                      Dense(8, {.activation = Activation::relu}),
                      Dropout(0.25f),
                      Dense(3)};
}

/// The loss of every step.
class Losses : public CallbackImpl {
  public:
    std::vector<double> values;
    void on_batch_end(Training& training) override {
        const double now = training.running().at("loss") * static_cast<double>(training.samples_here);
        values.push_back((now - before_) / static_cast<double>(training.samples_here - samples_));
        before_ = now;
        samples_ = training.samples_here;
    }

  private:
    double before_ = 0;
    std::int64_t samples_ = 0;
};

/// Rows of a picture as steps of a sequence; dropout in attention alone.
Sequential transformer() {
    return Sequential{Reshape(Shape{8, 16}), MultiHeadAttention(2, 8, {.dropout = 0.3f}), Flatten(), Dense(3)};
}

struct Outcome {
    std::vector<double> losses;
    double accuracy = 0;
    std::int64_t replayed = 0;
    std::vector<float> weights;
};

struct Plan {
    Device device = {};
    bool capture = true;
    Precision precision = Precision::f32;
    std::int64_t steps = 5, count = 8 * 16 + 5;
    double rate = 0.05;
    Sequential (*model)() = cnn;
};

Outcome train(const Plan& run) {
    set_seed(5);
    Sequential model = run.model();
    const Data data = pictures(run.count, Shape{8, 8, 2});
    model.build(Shape{8, 8, 2});
    model.to(run.device);
    model.compile({.optimizer = SGD({.learning_rate = run.rate, .momentum = 0.9}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"},
                   .precision = run.precision});
    const auto losses = std::make_shared<Losses>();
    const History history = model.fit(data.x, data.y,
                                      {.epochs = 2,
                                       .batch_size = 16,
                                       .steps = run.steps,
                                       .verbose = 0,
                                       .callbacks = {Callback(losses)},
                                       .capture = run.capture});
    Outcome outcome{losses->values, history.at("accuracy").back(), history.replayed_steps, {}};
    for (const auto& [name, parameter] : model.parameters())
        for (const float value : parameter.to_vector<float>()) outcome.weights.push_back(value);
    return outcome;
}

class DeviceTraining : public testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceTraining);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceTraining, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

TEST_P(DeviceTraining, FiveStepsOfACnnMatchTheCpu) {
    const Outcome cpu = train({}), device = train({.device = GetParam()});
    ASSERT_EQ(cpu.losses.size(), 5u);
    ASSERT_EQ(device.losses.size(), 5u);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(device.losses[i], cpu.losses[i], 1e-4) << "step " << i;
    EXPECT_EQ(device.accuracy, cpu.accuracy);
    EXPECT_EQ(cpu.replayed, 0);
    EXPECT_EQ(device.replayed, 4);
}

TEST_P(DeviceTraining, ReplayedStepsGiveTheBitsOfEagerOnes) {
    // Two epochs with a short last batch: eager in both runs.
    const Plan run{.device = GetParam(), .steps = 18};
    Plan eager = run;
    eager.capture = false;
    const Outcome a = train(run), b = train(eager);
    EXPECT_EQ(a.weights, b.weights);
    EXPECT_EQ(a.losses, b.losses);
    EXPECT_EQ(a.accuracy, b.accuracy);
    EXPECT_EQ(a.replayed, 15);  // 18 steps, of which the first and two short ones are not
    EXPECT_EQ(b.replayed, 0);
}

// Each replay drops other weights, and its backward pass those of its forward pass.
TEST_P(DeviceTraining, ReplayedStepsDropAttentionsWeightsAsEagerOnesDo) {
    const Plan run{.device = GetParam(), .steps = 18, .model = transformer};
    Plan eager = run;
    eager.capture = false;
    const Outcome cpu = train({.steps = 18, .model = transformer}), a = train(run), b = train(eager);
    EXPECT_EQ(a.weights, b.weights);
    EXPECT_EQ(a.losses, b.losses);
    EXPECT_EQ(a.replayed, 15);
    ASSERT_EQ(a.losses.size(), cpu.losses.size());
    for (std::size_t i = 0; i < cpu.losses.size(); ++i) EXPECT_NEAR(a.losses[i], cpu.losses[i], 1e-4) << "step " << i;
}

TEST_P(DeviceTraining, SixteenBitsFollowF32) {
    const Outcome full = train({.device = GetParam(), .steps = 18});
    for (const Precision precision : {Precision::bf16, Precision::f16}) {
        const Outcome half = train({.device = GetParam(), .precision = precision, .steps = 18});
        for (std::size_t i = 0; i < 5; ++i)
            EXPECT_NEAR(half.losses[i], full.losses[i], 0.05) << to_string(precision) << ", step " << i;
        EXPECT_NE(half.losses, full.losses);
        for (const float weight : half.weights) ASSERT_TRUE(std::isfinite(weight)) << to_string(precision);
    }
}

TEST_P(DeviceTraining, AnOverflowSkipsTheStepAndHalvesTheScale) {
    set_seed(1);
    Sequential model{Dense(2)};
    model.build(Shape{3});
    model.to(GetParam());
    const SGD sgd({.learning_rate = 0.1});
    model.compile({.optimizer = sgd, .loss = "mse", .precision = Precision::f16});
    const Tensor x = Tensor::full(Shape{4, 3}, 60000), small = Tensor::full(Shape{4, 3}, 0.01),
                 y = Tensor::zeros(Shape{4, 2});
    const std::vector<float> before = model.parameters()[0].second.to_vector<float>();
    model.train_on_batch(x, y);
    EXPECT_EQ(sgd.loss_scale(), 32768);
    EXPECT_EQ(model.parameters()[0].second.to_vector<float>(), before);
    model.train_on_batch(small, Tensor::ones(Shape{4, 2}));
    EXPECT_EQ(sgd.loss_scale(), 32768);
    EXPECT_NE(model.parameters()[0].second.to_vector<float>(), before);
}

TEST_P(DeviceTraining, AMetricThatReadsTheDeviceIsNoObstacle) {
    set_seed(2);
    Sequential model{Flatten(), Dense(3)};
    const Data data = pictures(64, Shape{2, 2, 1});
    model.build(Shape{2, 2, 1});
    model.to(GetParam());
    model.compile({.optimizer = SGD({.learning_rate = 0.1}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {Metric("largest", [](const Tensor& prediction, const Tensor&) {
                       return prediction.flatten().max(0).item();
                   })}});
    const History history = model.fit(data.x, data.y, {.batch_size = 16, .verbose = 0});
    EXPECT_EQ(history.replayed_steps, 0);
    EXPECT_TRUE(std::isfinite(history.at("largest").back()));
}

// Batches come on a stream of their own, which takes part in the capture that the loss spoils.
TEST_P(DeviceTraining, ALossThatReadsTheDeviceTrainsWithoutGraphs) {
    set_seed(2);
    Sequential model{Flatten(), Dense(3)};
    const Data data = pictures(64, Shape{2, 2, 1});
    model.build(Shape{2, 2, 1});
    model.to(GetParam());
    const SparseCategoricalCrossentropy loss({.from_logits = true});
    model.compile({.optimizer = SGD({.learning_rate = 0.1}),
                   .loss = Loss("reading", [loss](const Tensor& prediction, const Tensor& target) {
                       const Tensor value = loss(prediction, target);
                       EXPECT_GT(value.detach().item(), 0);
                       return value;
                   })});
    const History history =
        model.fit(data.x, data.y, {.epochs = 2, .batch_size = 16, .verbose = 0, .resident_bytes = 0});
    EXPECT_EQ(history.replayed_steps, 0);
    EXPECT_LT(history.at("loss").back(), history.at("loss").front());
}

// Each captures, on the stream that they share.
TEST_P(DeviceTraining, ThreadsPredictWithOneModel) {
    set_seed(3);
    Sequential model = cnn();
    const Data data = pictures(40, Shape{8, 8, 2});
    model.build(Shape{8, 8, 2});
    model.to(GetParam());
    const std::vector<float> wanted = model.predict(data.x, 8).to_vector<float>();
    std::vector<std::vector<float>> got(12);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (std::size_t i = t; i < got.size(); i += 4) got[i] = model.predict(data.x, 8).to_vector<float>();
        });
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<float>& values : got) EXPECT_EQ(values, wanted);
}

// With HEDDLE_SIM_STREAMS=latest the read comes first unless it waits.
TEST_P(DeviceTraining, OtherStreamsWaitForZeros) {
    const Device device = GetParam();
    const StreamId side = scheduler(device).create();
    Tensor zeros;
    {
        const StreamGuard guard(device, side);
        Tensor::full(Shape{1000}, 7, {DType::f32, device}).to_vector<float>();  // what the memory holds
        zeros = Tensor::zeros(Shape{1000}, {DType::f32, device});
    }
    EXPECT_EQ((zeros + 1.0).to_vector<float>(), std::vector<float>(1000, 1.0f));
}

// As after a kernel that failed: what the graph's end finds is not what ends the process.
TEST_P(DeviceTraining, AGraphOnAFailedDeviceGoesQuietly) {
    if (GetParam().kind != DeviceKind::sim) GTEST_SKIP() << "a GPU would be lost to the tests behind";
    const Tensor x = Tensor::full(Shape{10}, 1, {DType::f32, GetParam()});
    Tensor y;
    Graph graph = Graph::capture(GetParam(), [&] { y = x * 2.0; });
    driver(GetParam()).launch(0, "fails", [] { throw Error("the kernel failed"); });
    graph = Graph();
    y = Tensor();
    EXPECT_EQ((x + x).to_vector<float>()[7], 2.0f);
}

TEST_P(DeviceTraining, EvaluationMatchesTheCpu) {
    set_seed(3);
    Sequential model = cnn();
    const Data data = pictures(37, Shape{8, 8, 2});
    model.build(Shape{8, 8, 2});
    model.compile({.optimizer = "sgd",
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy", "sparse_top_k_categorical_accuracy", SparseCategoricalAccuracy(1)}});
    const Result cpu = model.evaluate(data.x, data.y, {.batch_size = 16});
    const Tensor predicted = model.predict(data.x);
    model.to(GetParam());
    const Result device = model.evaluate(data.x, data.y, {.batch_size = 16});
    for (const auto& [name, value] : cpu) EXPECT_NEAR(device.at(name), value, 1e-5) << name;
    const std::vector<float> a = predicted.to_vector<float>(), b = model.predict(data.x).to_vector<float>();
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5);
}

TEST_P(DeviceTraining, GraphsKeepTheirMemoryAndReplayOnNewValues) {
    const TensorOptions there{DType::f32, GetParam()};
    const Tensor x = Tensor::full(Shape{1000}, 1, there);
    Tensor y;
    const Graph graph = Graph::capture(GetParam(), [&] {
        const Tensor between = x * 2.0;  // its memory is used again inside the graph, and by nobody else
        y = between + x;
    });
    EXPECT_GT(graph.reserved_bytes(), 0u);
    std::vector<Tensor> others;
    for (int value = 1; value <= 3; ++value) {
        x.fill_(value);
        others.push_back(Tensor::full(Shape{1000}, -1, there));
        graph.replay();
        EXPECT_EQ(y.to_vector<float>(), std::vector<float>(1000, 3.0f * static_cast<float>(value)));
    }
    for (const Tensor& other : others) EXPECT_EQ(other.to_vector<float>(), std::vector<float>(1000, -1.0f));
    EXPECT_THROW(Graph::capture(GetParam(), [&] { y = Tensor::scalar(x.sum().item()); }), Error);
    EXPECT_EQ((x + x).to_vector<float>()[7], 6.0f);  // the device is none the worse for it
}

// An epoch of tokens has more of them than f32 can count: 2^24 + 1 is no f32.
TEST_P(DeviceTraining, MetricsCountBeyondF32) {
    constexpr double many = 1 << 24;
    const auto on_device = [](const std::vector<float>& values) {
        return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())}, GetParam());
    };
    const auto after = [&](const Metric& metric, const std::vector<double>& state) {
        metric.update(on_device({1, 1}), on_device({1, 1}));  // from here on it gathers on the device
        metric.set_state(state);
        for (int i = 0; i < 5; ++i) metric.update(on_device({1}), on_device({1}));
        return metric.state();
    };
    EXPECT_EQ(after(Metric("binary_accuracy"), {many, many}), (std::vector<double>{many + 5, many + 5}));
    EXPECT_EQ(after(Metric("mae"), {0, many + 1}), (std::vector<double>{0, many + 6}));
    const Metric again("binary_accuracy");
    after(again, {many, many});
    again.reset();
    EXPECT_EQ(again.state(), (std::vector<double>{0, 0}));
}

// Graphs hold the addresses of the optimizer's tensors, which new ones replace.
TEST_P(DeviceTraining, AStateThatIsSetBetweenReplaysIsTheirs) {
    const Data data = pictures(9 * 16, Shape{2, 2, 1});
    const auto weights = [&](const Optimizer& optimizer, Precision precision, bool capture) {
        set_seed(2);
        const Sequential model{Flatten(), Dense(3)};
        model.build(Shape{2, 2, 1});
        model.to(GetParam());
        model.compile({.optimizer = optimizer,
                       .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                       .precision = precision});
        NamedTensors early;
        const LambdaCallback restoring({.on_batch_end = [&](Training& training) {
            if (training.step == 1) early = optimizer.state();
            if (training.step == 5) optimizer.set_state(early, model.parameters());
        }});
        const History history = model.fit(
            data.x, data.y, {.batch_size = 16, .verbose = 0, .callbacks = {restoring}, .seed = 3, .capture = capture});
        EXPECT_EQ(history.replayed_steps, capture ? 7 : 0);  // of 9; the first and the one after the fifth are eager
        std::vector<float> all;
        for (const auto& [name, parameter] : model.parameters())
            for (const float value : parameter.to_vector<float>()) all.push_back(value);
        return all;
    };
    const auto groups = [] {
        return OptimizerGroups({{{"*weight"}, Adam({.learning_rate = 0.1})}, {{"*"}, SGD({.momentum = 0.9})}});
    };
    for (const Precision precision : {Precision::f32, Precision::f16}) {
        EXPECT_EQ(weights(SGD({.learning_rate = 0.1, .momentum = 0.9}), precision, true),
                  weights(SGD({.learning_rate = 0.1, .momentum = 0.9}), precision, false));
        EXPECT_EQ(weights(groups(), precision, true), weights(groups(), precision, false));
    }
}

TEST_P(DeviceTraining, EveryOptimizerReplaysItsSteps) {
    const auto train = [](const char* optimizer, Device device, bool capture) {
        set_seed(3);
        const Sequential model{Flatten(), Dense(5, {.activation = "relu"}), Dense(3)};
        const Data data = pictures(32, Shape{2, 3});
        model.build(Shape{2, 3});
        model.to(device);
        model.compile({.optimizer = optimizer, .loss = SparseCategoricalCrossentropy({.from_logits = true})});
        const History history =
            model.fit(data.x, data.y, {.epochs = 3, .batch_size = 16, .verbose = 0, .capture = capture});
        EXPECT_EQ(history.replayed_steps, device == Device::cpu() || !capture ? 0 : 5) << optimizer;
        std::vector<float> weights;
        for (const auto& [name, parameter] : model.parameters())
            for (const float value : parameter.to_vector<float>()) weights.push_back(value);
        return weights;
    };
    for (const char* name : {"sgd", "adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta"}) {
        const std::vector<float> replayed = train(name, GetParam(), true), cpu = train(name, {}, true);
        EXPECT_EQ(replayed, train(name, GetParam(), false)) << name;
        ASSERT_EQ(replayed.size(), cpu.size());
        for (std::size_t i = 0; i < cpu.size(); ++i) EXPECT_NEAR(replayed[i], cpu[i], 2e-5) << name;
    }
}

TEST_P(DeviceTraining, ASkippedStepIsNoneForAdam) {
    const auto model_of = [&](const Optimizer& optimizer) {
        set_seed(1);
        const Sequential model{Dense(2)};
        model.build(Shape{3});
        model.to(GetParam());
        model.compile({.optimizer = optimizer, .loss = "mse", .precision = Precision::f16});
        return model;
    };
    const Tensor huge = Tensor::full(Shape{4, 3}, 60000), x = Tensor::full(Shape{4, 3}, 0.01),
                 y = Tensor::full(Shape{4, 2}, 0.1);
    const Adam never({.learning_rate = 0.1}), skipped({.learning_rate = 0.1});
    const Sequential plain = model_of(never), model = model_of(skipped);
    model.train_on_batch(huge, y);
    EXPECT_EQ(skipped.loss_scale(), 32768);
    EXPECT_EQ(skipped.iterations(), 1);
    for (int step = 0; step < 3; ++step) {
        plain.train_on_batch(x, y);
        model.train_on_batch(x, y);
        for (std::size_t i = 0; i < plain.parameters().size(); ++i) {
            const std::vector<float> a = plain.parameters()[i].second.to_vector<float>(),
                                     b = model.parameters()[i].second.to_vector<float>();
            for (std::size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-4) << "step " << step;
        }
        // Through a checkpoint's state, too.
        const NamedTensors state = skipped.state();
        std::int64_t taken = -1;
        for (const auto& [name, tensor] : state)
            if (name == "steps_taken") taken = static_cast<std::int64_t>(tensor.item());
        EXPECT_EQ(taken, step + 1);
        skipped.set_state(state, model.parameters());
    }
    EXPECT_EQ(skipped.iterations(), 4);
    for (const auto& [name, tensor] : never.state()) EXPECT_NE(name, "steps_taken");
}

}  // namespace
