#include <gtest/gtest.h>

#include <cmath>

#include "samples.h"
#include "tests/devices.h"
#include "train/recalibration.h"

namespace heddle {
namespace {

using namespace samples;

std::vector<float> numbers(const Tensor& tensor) { return tensor.to_vector<float>(); }

/// Rows of three columns with means and spreads of their own, sorted by the first, so that batches would differ.
Tensor rows(std::int64_t count) {
    Generator random(8);
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i)
        for (const float spread : {1.0f, 5.0f, 0.1f})
            values.push_back(3 * spread + spread * static_cast<float>(random.below(1000)) / 500 +
                             (spread == 1 ? static_cast<float>(i) / 10 : 0));
    return Tensor::from(values, Shape{count, 3});
}

TEST(Recalibration, GivesMeanAndVarianceOfAllRows) {
    constexpr std::int64_t count = 50;  // three batches of 16 and one of 2
    const Tensor x = rows(count), y = Tensor::zeros(Shape{count, 3});
    for (const bool unbiased : {false, true}) {
        Sequential model{BatchNormalization({.unbiased_running_variance = unbiased}), Dropout(0.5f), Dense(3)};
        model.build(Shape{3});
        const Tensor weight = model.parameters()[0].second.clone();
        const std::uint64_t offset = default_generator().offset();
        EXPECT_EQ(recalibrate(model, TensorDataset(x, y), {.batch_size = 16}), 1);
        EXPECT_EQ(default_generator().offset(), offset);
        EXPECT_TRUE(same_bits(model.parameters()[0].second, weight));
        const std::vector<float> values = numbers(x), mean = numbers(model.buffers()[0].second),
                                 variance = numbers(model.buffers()[1].second);
        for (std::size_t c = 0; c < 3; ++c) {
            double sum = 0, squares = 0;
            for (std::size_t i = 0; i < count; ++i) sum += static_cast<double>(values[3 * i + c]);
            for (std::size_t i = 0; i < count; ++i)
                squares += std::pow(static_cast<double>(values[3 * i + c]) - sum / count, 2);
            EXPECT_NEAR(mean[c], sum / count, 2e-6 * std::abs(sum / count)) << c;
            const double wanted = squares / (unbiased ? count - 1 : count);
            EXPECT_NEAR(variance[c], wanted, 1e-5 * wanted) << c;
        }
    }
}

/// Later layers see what the batches' own statistics make of the earlier ones, as in training.
TEST(Recalibration, GoesThroughTheWholeModel) {
    set_seed(2);
    const Dataset data = pictures(24);
    Sequential model{Conv2D(4, 3), BatchNormalization({.momentum = 0}), ReLU(), Conv2D(3, 3),
                     BatchNormalization({.momentum = 0})};
    model.build(Shape{8, 8, 3});
    // One batch: with momentum 0 a training pass leaves the batch's statistics.
    const Batch batch = data.batch(0, 24);
    model(batch.inputs[0], true);
    std::vector<std::vector<float>> expected;
    for (const auto& [name, buffer] : model.buffers()) {
        expected.push_back(numbers(buffer));
        buffer.fill_(7);
    }
    EXPECT_EQ(recalibrate(model, data), 2);
    const NamedTensors buffers = model.buffers();
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        const std::vector<float> values = numbers(buffers[i].second);
        for (std::size_t c = 0; c < values.size(); ++c)
            EXPECT_NEAR(values[c], expected[i][c], 1e-5 * (1 + std::abs(expected[i][c]))) << buffers[i].first;
    }
    // As many batches as wanted; the statistics of others differ.
    EXPECT_EQ(recalibrate(model, data, {.batch_size = 8, .batches = 1}), 2);
    EXPECT_NE(numbers(model.buffers()[0].second), expected[0]);
}

class DeviceRecalibration : public testing::TestWithParam<Device> {};

/// From pictures in the device's memory, in the order that a loader gives.
TEST_P(DeviceRecalibration, IsTheHosts) {
    const auto statistics = [](Device device) {
        set_seed(2);
        Sequential model{Conv2D(4, 3), BatchNormalization()};
        model.build(Shape{8, 8, 3});
        model.to(device);
        EXPECT_EQ(recalibrate(model, pictures(24), {.batch_size = 7, .batches = 2, .seed = 3}), 1);
        std::vector<float> all = numbers(model.buffers()[0].second);
        const std::vector<float> variance = numbers(model.buffers()[1].second);
        all.insert(all.end(), variance.begin(), variance.end());
        return all;
    };
    const std::vector<float> host = statistics(Device()), device = statistics(GetParam());
    for (std::size_t i = 0; i < host.size(); ++i) EXPECT_NEAR(device[i], host[i], 1e-5 * (1 + std::abs(host[i]))) << i;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceRecalibration);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceRecalibration, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

TEST(Recalibration, LeavesFrozenLayersAndOtherModelsAlone) {
    const auto [x, y] = moons(20);
    Sequential model{BatchNormalization(), Dense(2)};
    model.build(Shape{2});
    model->children()[0].second.set_trainable(false);
    EXPECT_EQ(recalibrate(model, TensorDataset(x, y)), 0);
    EXPECT_EQ(numbers(model.buffers()[0].second), std::vector<float>(2, 0));
    Sequential plain{Dense(2)};
    EXPECT_EQ(recalibrate(plain, TensorDataset(x, y)), 0);
    EXPECT_EQ(error_of([&] { recalibrate(model, Dataset{}); }), "recalibrate: the data set is empty");
}

}  // namespace
}  // namespace heddle
