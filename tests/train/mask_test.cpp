#include <gtest/gtest.h>

#include "samples.h"
#include "tests/devices.h"

// Steps that a mask leaves out count for nothing in losses, metrics and training.
namespace heddle {
namespace {

/// Uniform in 0.1 .. 0.9, the same every time.
Tensor numbers_in(const Shape& shape, std::uint64_t seed) {
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < shape.elements(); ++i)
        numbers.push_back(0.1 + 0.8 * static_cast<double>(Philox::uniform(
                                          Philox::block(seed, 0, static_cast<std::uint64_t>(i)).word[0])));
    return Tensor::from(numbers, shape);
}

const std::vector<std::int64_t> places{0, 3, 4, 6};  // of [2, 4] steps

Tensor mask() { return Tensor::from<std::int64_t>({1, 0, 0, 1, 1, 0, 1, 0}, Shape{2, 4}).to(DType::boolean); }

/// The steps that count, as rows.
Tensor rows_of(const Tensor& x) {
    const Shape& shape = x.shape();
    Shape rows{8};
    for (int axis = 2; axis < shape.rank(); ++axis) rows.push_back(shape[axis]);
    return ops::gather(x.reshape(rows), Tensor::from(places, Shape{4}));
}

Tensor masked(const Tensor& x) {
    const Tensor y = x * 1.0;
    ops::set_mask(y, mask());
    return y;
}

/// The loss, and the gradient of the prediction, over what the mask lets count must be those of these steps alone.
void expect_masked(const Loss& loss, const Tensor& prediction, const Tensor& target) {
    SCOPED_TRACE(loss.name());
    Tensor a = prediction.clone(), b = prediction.clone();
    a.set_requires_grad();
    b.set_requires_grad();
    const Tensor with_mask = loss(masked(a), target), of_rows = loss(rows_of(b), rows_of(target));
    EXPECT_NEAR(with_mask.item(), of_rows.item(), 1e-12);
    EXPECT_NE(with_mask.item(), loss(prediction, target).item());
    with_mask.backward();
    of_rows.backward();
    const std::vector<double> x = a.grad().to_vector<double>(), y = b.grad().to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-8) << i;  // scales are f32
}

TEST(MaskedLoss, IsThatOfTheStepsThatCount) {
    const Tensor p = numbers_in({2, 4, 3}, 1), t = numbers_in({2, 4, 3}, 2);
    for (const char* name : {"mse", "mae", "huber", "binary_crossentropy", "categorical_crossentropy", "kl_divergence",
                             "poisson", "cosine_similarity", "hinge", "squared_hinge"})
        expect_masked(name, p, t);
    expect_masked(BinaryCrossentropy({.from_logits = true, .label_smoothing = 0.2f}), p, t);
    expect_masked(CategoricalCrossentropy({.from_logits = true, .label_smoothing = 0.2f}), p, t);

    const Tensor labels = Tensor::from<std::int64_t>({0, 2, 1, 1, 2, 0, 0, 1}, Shape{2, 4});
    expect_masked("sparse_categorical_crossentropy", p, labels);
    expect_masked(CategoricalCrossentropy({.from_logits = true}), p, labels);
    expect_masked(SparseCategoricalCrossentropy({.from_logits = true, .label_smoothing = 0.1f}), p, labels);
    expect_masked(SparseCategoricalCrossentropy({.from_logits = true, .ignore_class = 1}), p, labels);
    // One number a step, targets without the last extent of 1.
    expect_masked("mse", numbers_in({2, 4, 1}, 3), numbers_in({2, 4}, 4).reshape(Shape{2, 4, 1}));
}

TEST(MaskedLoss, DoesNotLookAtOtherLabels) {
    const Tensor p = numbers_in({2, 4, 3}, 1);
    const Tensor labels = Tensor::from<std::int64_t>({0, -100, -100, 1, 2, -100, 0, 99}, Shape{2, 4});
    for (const Loss& loss : {Loss(SparseCategoricalCrossentropy({.from_logits = true})),
                             Loss(CategoricalCrossentropy({.from_logits = true}))}) {
        EXPECT_NEAR(loss(masked(p), labels).item(), loss(rows_of(p), rows_of(labels)).item(), 1e-12) << loss.name();
        EXPECT_THROW(loss(p, labels), Error) << loss.name();
    }
}

TEST(MaskedLoss, IsZeroWhereNoStepCounts) {
    const Tensor p = numbers_in({2, 4, 3}, 1);
    ops::set_mask(p, Tensor::zeros(Shape{2, 4}, {DType::boolean}));
    EXPECT_EQ(Loss("mse")(p, numbers_in({2, 4, 3}, 2)).item(), 0);
    EXPECT_EQ(SparseCategoricalCrossentropy({.from_logits = true})(p, Tensor::zeros(Shape{2, 4}, {DType::i64})).item(),
              0);
}

TEST(MaskedLoss, OnesOwnSeesTheMask) {
    const Loss own("own", [](const Tensor& prediction, const Tensor&) {
        return ops::sum(ops::mask_of(prediction).to(DType::f32));
    });
    EXPECT_EQ(own(masked(numbers_in({2, 4, 3}, 1)), Tensor()).item(), 4);
}

class MaskedMetric : public ::testing::TestWithParam<Device> {
  protected:
    static void expect_masked(const Metric& metric, const Tensor& prediction, const Tensor& target, Device device) {
        SCOPED_TRACE(metric.name());
        metric.reset();
        metric.update(rows_of(prediction), rows_of(target));
        const double expected = metric.result();
        metric.reset();
        const Tensor x = prediction.clone().to(device);
        ops::set_mask(x, mask().to(device));
        metric.update(x, target.to(device));
        EXPECT_NEAR(metric.result(), expected, 1e-6);
        metric.reset();
        metric.update(prediction, target);
        EXPECT_GT(std::abs(metric.result() - expected), 1e-4);  // without the mask
    }
    static void expect_all(Device device) {
        const Tensor p = numbers_in({2, 4, 3}, 1).to(DType::f32), t = numbers_in({2, 4, 3}, 2).to(DType::f32);
        for (const char* name : {"mse", "mae", "rmse"}) expect_masked(name, p, t, device);
        const Tensor best = ops::argmax(p).to(Device::cpu());
        // Right where the mask lets count but for the first step, wrong elsewhere.
        std::vector<std::int64_t> labels = best.to_vector<std::int64_t>();
        for (std::size_t i = 0; i < 8; ++i)
            if (i == 0 || mask().to_vector<std::int64_t>()[i] == 0) labels[i] = (labels[i] + 1) % 3;
        const Tensor y = Tensor::from(labels, Shape{2, 4});
        for (const char* name : {"accuracy", "sparse_categorical_accuracy"}) expect_masked(name, p, y, device);
        expect_masked(SparseCategoricalAccuracy(labels[0]), p, y, device);
        expect_masked(TopKCategoricalAccuracy(1), p, y, device);
        const Tensor one = numbers_in({2, 4, 1}, 3).to(DType::f32);
        const Tensor side = Tensor::from<float>({1, 1, 0, 0, 1, 0, 1, 1}, Shape{2, 4, 1});
        expect_masked(BinaryAccuracy(), one, side, device);
    }
};

TEST(MaskedMetricOnTheHost, CountsTheStepsThatCount) {
    struct Open : MaskedMetric {
        void TestBody() override {}
        using MaskedMetric::expect_all;
    };
    Open::expect_all(Device());
}
TEST_P(MaskedMetric, CountsTheStepsThatCount) { expect_all(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Devices, MaskedMetric, ::testing::ValuesIn(other_devices()),
                         device_name<::testing::TestParamInfo<Device>>);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MaskedMetric);

// Sequences of 1 to 5 steps of tokens 1 to 5 behind which zeros are; each is to be labelled by whether it is larger
// than the one before. `garbage`: the label of what is padding.
struct Sequences {
    Tensor x, y;
};

Sequences sequences(std::int64_t count, std::int64_t garbage) {
    Generator generator(3);
    std::vector<std::int64_t> x, y;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto length = static_cast<std::int64_t>(1 + generator.below(5));
        std::int64_t before = 0;
        for (std::int64_t t = 0; t < 5; ++t) {
            const auto token = static_cast<std::int64_t>(1 + generator.below(5));
            x.push_back(t < length ? token : 0);
            y.push_back(t < length ? token > before : garbage);
            before = token;
        }
    }
    return {Tensor::from(x, Shape{count, 5}), Tensor::from(y, Shape{count, 5})};
}

Sequential labeller() {
    set_seed(7);
    return Sequential{Embedding(6, 4, {.mask_zero = true}), Bidirectional(LSTM(6, {.return_sequences = true})),
                      heddle::Dropout(0.1f), Dense(2)};
}

struct Trained {
    std::vector<double> losses, accuracy;
    Result test;
    std::int64_t replayed = 0;
};

Trained train(const Sequences& data, Device device) {
    const Sequential model = labeller();
    model.build(Shape{5});
    model.to(device);
    model.compile({.optimizer = Adam({.learning_rate = 0.02f}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"}});
    const History history = model.fit(data.x, data.y, {.epochs = 8, .batch_size = 16, .verbose = 0, .seed = 1});
    return {history.at("loss"), history.at("accuracy"), model.evaluate(data.x, data.y), history.replayed_steps};
}

TEST(MaskedTraining, PaddingHasNoSay) {
    const Trained clean = train(sequences(160, 0), Device()), dirty = train(sequences(160, 1), Device());
    EXPECT_EQ(clean.losses, dirty.losses);
    EXPECT_EQ(clean.accuracy, dirty.accuracy);
    EXPECT_EQ(clean.test.at("accuracy"), dirty.test.at("accuracy"));
    EXPECT_LT(clean.losses.back(), clean.losses.front() / 2);
    EXPECT_GT(clean.test.at("accuracy"), 0.85);
}

TEST(MaskedTraining, ASavedModelKeepsIt) {
    const Sequential model = labeller();
    model.build(Shape{5});
    const std::string path = samples::folder("mask") + "/labeller.safetensors";
    model.save(path);
    const Model read = Model::load(path);
    // A sequence is read as if it stood alone.
    const Tensor whole = Tensor::from<std::int64_t>({2, 5, 1, 0, 0}, Shape{1, 5}),
                 alone = Tensor::from<std::int64_t>({2, 5, 1}, Shape{1, 3});
    const std::vector<float> padded = read.predict(whole).to_vector<float>(),
                             bare = read.predict(alone).to_vector<float>();
    for (std::size_t i = 0; i < bare.size(); ++i) EXPECT_NEAR(padded[i], bare[i], 1e-6);
    EXPECT_EQ(read.predict(whole).to_vector<float>(), model.predict(whole).to_vector<float>());
}

class MaskedDeviceTraining : public ::testing::TestWithParam<Device> {};

TEST_P(MaskedDeviceTraining, IsTheHostsAndCaptured) {
    const Sequences data = sequences(64, 1);
    const Trained host = train(data, Device()), device = train(data, GetParam());
    for (std::size_t i = 0; i < host.losses.size(); ++i) EXPECT_NEAR(device.losses[i], host.losses[i], 1e-3) << i;
    EXPECT_NEAR(device.accuracy.back(), host.accuracy.back(), 0.02);
    EXPECT_EQ(device.replayed, 4 * 8 - 1);
}

INSTANTIATE_TEST_SUITE_P(Devices, MaskedDeviceTraining, ::testing::ValuesIn(other_devices()),
                         device_name<::testing::TestParamInfo<Device>>);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MaskedDeviceTraining);

}  // namespace
}  // namespace heddle
