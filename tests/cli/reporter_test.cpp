#include "cli/reporter.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "heddle.h"
#include "tests/devices.h"

// When the command looks at the loss: on a device it has to wait for it.
namespace heddle::cli {
namespace {

/// Training whose loss a test makes up.
class Reports : public testing::Test {
  protected:
    explicit Reports(Device device = {}) {
        model.build(Shape{3});
        model.to(device);
        model.compile({.optimizer = "sgd", .loss = "mse"});
        training.running = [this] {
            ++reads;
            return Result{{"loss", loss}};
        };
    }
    void begin(const ReporterOptions& options) {
        reporter.emplace(options);
        reporter->on_train_begin(training);
        reporter->on_epoch_begin(training);
    }
    void step() {
        reporter->on_batch_begin(training);
        ++training.step;
        training.samples += 8;
        reporter->on_batch_end(training);
    }

    const Sequential model{Dense(2)};
    const History history;
    Training training{.model = model, .history = history, .epochs = 2, .steps_per_epoch = 100000};
    std::optional<Reporter> reporter;
    double loss = 1;
    int reads = 0;
};

class DeviceReports : public Reports, public testing::WithParamInterface<Device> {
  protected:
    DeviceReports() : Reports(GetParam()) {}
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceReports);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceReports, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

TEST_P(DeviceReports, LookAtTheLossOnceASecond) {
    const auto start = std::chrono::steady_clock::now();
    begin({.quiet = true});
    for (int i = 0; i < 1000; ++i) step();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
    EXPECT_LE(reads, seconds.count() + 1);
    loss = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THROW(
        for (int i = 0; i < 1500; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            step();
        },
        Error);
}

TEST_P(DeviceReports, LookAtTheLossThatIsShown) {
    begin({.json = true, .log_steps = 100});
    testing::internal::CaptureStdout();
    for (int i = 0; i < 300; ++i) step();
    testing::internal::GetCapturedStdout();
    EXPECT_GE(reads, 3);
    EXPECT_LE(reads, 10);
}

TEST_P(DeviceReports, KeepCheckpointsAndHistoriesFromALossThatIsNotFinite) {
    begin({.quiet = true});
    step();
    reporter->on_checkpoint(training);
    loss = std::numeric_limits<double>::infinity();
    step();
    EXPECT_THROW(reporter->on_checkpoint(training), Error);
    EXPECT_THROW(reporter->on_epoch_end(training, {{"loss", loss}}), Error);
}

TEST_F(Reports, OfTheCpuLookAtEveryLoss) {
    begin({.quiet = true});
    for (int i = 0; i < 10; ++i) step();
    EXPECT_EQ(reads, 10);
    loss = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THROW(step(), Error);
}

/// The time of the last step may be known only once the device is done with it.
TEST_F(Reports, CountTheTimeThatTheEpochEndsWith) {
    begin({.quiet = true});
    training.seconds = 1;
    step();
    training.seconds = 3;
    reporter->on_epoch_end(training, {{"loss", 1}});
    ++training.epoch;
    training.step = 0;
    training.seconds = 1;
    step();
    training.seconds = 5;
    reporter->on_train_end(training);
    EXPECT_EQ(reporter->seconds(), 8);
}

}  // namespace
}  // namespace heddle::cli
