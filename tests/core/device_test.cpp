#include "core/device.h"

#include <gtest/gtest.h>

#include "core/allocator.h"
#include "core/cuda.h"
#include "core/driver/driver.h"
#include "core/error.h"
#include "core/storage.h"
#include "tests/core/scoped_env.h"

namespace {

using namespace heddle;
using heddle::testing::message_of;

TEST(Device, Parse) {
    EXPECT_EQ(Device::parse("cpu"), Device::cpu());
    EXPECT_EQ(Device::parse("cuda"), (Device{DeviceKind::cuda, 0}));
    EXPECT_EQ(Device::parse("cuda:3"), (Device{DeviceKind::cuda, 3}));
    EXPECT_EQ(Device::parse("sim"), (Device{DeviceKind::sim, 0}));
    for (const char* text : {"", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:1x", "cuda:64", "cpu:0", "cuda:99999999999"})
        EXPECT_THROW(Device::parse(text), Error) << text;
    for (const char* text : {"cpu", "cuda:0", "cuda:5", "sim"}) EXPECT_EQ(Device::parse(text).to_string(), text);
}

TEST(Device, StatusSaysWhatIsThereAndWhyNot) {
    const auto status = device_status();
    ASSERT_EQ(status.size(), 3u);
    EXPECT_EQ(status[0].kind, DeviceKind::cpu);
    EXPECT_EQ(status[0].count, 1);
    EXPECT_NE(status[0].description.find("threads"), std::string::npos);
    EXPECT_EQ(status[1].kind, DeviceKind::cuda);
    EXPECT_EQ(status[2].kind, DeviceKind::sim);
    for (const DeviceStatus& entry : status) EXPECT_EQ(entry.why_missing.empty(), entry.count > 0);
    EXPECT_EQ(Device::best().kind, status[1].count > 0 ? DeviceKind::cuda : DeviceKind::cpu);
}

TEST(Device, AMissingOneIsAnErrorThatSaysWhy) {
    for (const DeviceStatus& entry : device_status()) {
        if (entry.count > 0) continue;
        const std::string message = message_of<Error>([&] { allocator(Device{entry.kind}); });
        EXPECT_NE(message.find(entry.why_missing), std::string::npos) << message;
    }
}

TEST(Device, OneThatThereCannotBeIsAnError) {
    for (const Device device : {Device{DeviceKind::cuda, 100}, Device{DeviceKind::cuda, -1},
                                Device{DeviceKind::sim, 64}, Device{DeviceKind::cpu, -128}}) {
        EXPECT_THROW(allocator(device), Error);
        EXPECT_THROW(scheduler(device), Error);
        EXPECT_THROW(driver(device), Error);
        EXPECT_THROW(current_stream(device), Error);
        EXPECT_THROW(StreamGuard(device, 0), Error);
        EXPECT_THROW(make_intrusive<Storage>(8, device), Error);
    }
    EXPECT_NE(message_of<Error>([] { current_stream({DeviceKind::cuda, 100}); }).find("device 100"), std::string::npos);
    EXPECT_THROW(driver({DeviceKind::cpu, 1}), Error);
    EXPECT_THROW(allocator({DeviceKind::cpu, 1}), Error);
}

TEST(Device, OnlyCudaHasStreamsOfOthers) {
    for (const Device device : {Device::cpu(), Device{DeviceKind::sim}}) {
        EXPECT_NE(message_of<Error>([&] { lend_cuda_stream(device, nullptr); }).find("expected a cuda device"),
                  std::string::npos);
        EXPECT_THROW(return_cuda_stream(device, 1), Error);
        EXPECT_THROW(cuda_stream(device, 0), Error);
    }
    EXPECT_THROW(driver(Device::cpu()).lend_stream(nullptr), Error);
    EXPECT_THROW(driver(Device::cpu()).native_stream(0), Error);
    const DeviceStatus cuda = device_status()[1];
    if (cuda.count == 0) {
        const std::string message = message_of<Error>([] { lend_cuda_stream({DeviceKind::cuda}, nullptr); });
        EXPECT_NE(message.find(cuda.why_missing), std::string::npos) << message;
    }
}

TEST(Storage, OwnsAndGivesBack) {
    Allocator& host = allocator(Device::cpu());
    const std::size_t before = host.stats().allocated;
    {
        const auto storage = make_intrusive<Storage>(1000, Device::cpu());
        EXPECT_GE(host.stats().allocated, before + 1000);
        EXPECT_EQ(storage->bytes(), 1000u);
        EXPECT_EQ(storage->version(), 0u);
        storage->bump_version();
        EXPECT_EQ(storage->version(), 1u);
        EXPECT_FALSE(storage->history().written);
    }
    EXPECT_EQ(host.stats().allocated, before);
    const auto empty = make_intrusive<Storage>(0, Device::cpu());
    EXPECT_NE(empty->data(), nullptr);
}

TEST(Storage, WrapsMemoryOfOthers) {
    int value = 3, released = 0;
    {
        auto storage = make_intrusive<Storage>(&value, sizeof(value), Device::cpu(), [&] { ++released; });
        const auto copy = storage;
        storage.reset();
        EXPECT_EQ(released, 0);
        EXPECT_EQ(copy->data(), &value);
    }
    EXPECT_EQ(released, 1);
    const auto without = make_intrusive<Storage>(&value, sizeof(value), Device::cpu(), nullptr);
    EXPECT_EQ(without->data(), &value);
}

}  // namespace
