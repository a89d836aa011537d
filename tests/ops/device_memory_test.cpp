#include <gtest/gtest.h>

#include "core/allocator.h"
#include "core/error.h"
#include "core/graph.h"
#include "core/stream.h"
#include "core/tensor.h"
#include "ops/elementwise.h"
#include "tests/core/scoped_env.h"
#include "tests/devices.h"

// Memory on devices: that of graphs, and that of others.
namespace {

using namespace heddle;
using heddle::testing::message_of;

constexpr std::size_t mib = 1 << 20;

class DeviceMemory : public ::testing::TestWithParam<Device> {
  protected:
    DeviceMemory() { memory.empty_cache(); }
    ~DeviceMemory() override { memory.set_limit(0); }

    Tensor zeros(std::size_t bytes) const {
        return Tensor::zeros(Shape{static_cast<std::int64_t>(bytes / sizeof(float))}, {DType::f32, GetParam()});
    }

    Allocator& memory = allocator(GetParam());
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceMemory);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceMemory, ::testing::ValuesIn(other_devices()),
                         device_name<::testing::TestParamInfo<Device>>);

TEST_P(DeviceMemory, AGraphsMemoryIsCountedAndGoesBack) {
    const std::size_t before = memory.stats().allocated;
    memory.reset_peak();
    Tensor y;
    Graph graph = Graph::capture(GetParam(), [&] {
        zeros(6 * mib);
        y = zeros(4 * mib);
    });
    EXPECT_GE(graph.reserved_bytes(), 6 * mib);
    EXPECT_GE(memory.stats().allocated, before + graph.reserved_bytes());
    EXPECT_GE(memory.stats().peak_allocated, before + graph.reserved_bytes());
    graph = Graph();
    EXPECT_GE(memory.stats().allocated, before + 4 * mib);
    y = Tensor();
    EXPECT_EQ(memory.stats().allocated, before);
}

TEST_P(DeviceMemory, GraphsShareTheDevicesLimit) {
    memory.set_limit(memory.stats().reserved + 48 * mib);
    Tensor x, y;
    const Graph first = Graph::capture(GetParam(), [&] { x = zeros(30 * mib); });
    const std::string message = message_of<Error>([&] { Graph::capture(GetParam(), [&] { y = zeros(30 * mib); }); });
    EXPECT_NE(message.find("out of memory"), std::string::npos) << message;
    EXPECT_NE(message.find("for graph"), std::string::npos) << message;
    EXPECT_THROW(zeros(30 * mib), Error);
    // The device is none the worse for it.
    const Graph third = Graph::capture(GetParam(), [&] { y = zeros(4 * mib); });
    first.replay();
    third.replay();
    EXPECT_EQ(x.slice(0, 3).to_vector<float>(), std::vector<float>(3, 0.0f));
}

TEST_P(DeviceMemory, WhatTheDevicesAllocatorHasCachedServesACapture) {
    memory.set_limit(memory.stats().reserved + 48 * mib);
    {
        std::vector<Tensor> parts;  // no segment of them is long enough
        for (int i = 0; i < 6; ++i) parts.push_back(zeros(7 * mib));
    }
    Tensor y;
    const Graph graph = Graph::capture(GetParam(), [&] { y = zeros(40 * mib); });
    graph.replay();
    EXPECT_EQ(y.slice(0, 3).to_vector<float>(), std::vector<float>(3, 0.0f));
}

// The owner gets its memory back when the device has done what was queued with it, on whatever streams.
TEST_P(DeviceMemory, MemoryOfTheCallersIsReleasedWhenItsUsesAreDone) {
    const Device device = GetParam();
    const StreamId side = scheduler(device).create();
    void* block = driver(device).allocate(sizeof(float));
    for (const bool reads : {false, true})
        for (const StreamId stream : {StreamId{0}, side}) {
            bool done = false, done_at_release = false;
            {
                const Tensor x =
                    Tensor::from_blob(block, Shape{1}, {DType::f32, device}, [&] { done_at_release = done; });
                StreamHistory* history = &x.impl()->storage->history();
                const std::span<StreamHistory* const> used(&history, 1);
                const StreamOperation operation(scheduler(device), stream, reads ? used : used.subspan(1),
                                                reads ? used.subspan(1) : used);
                driver(device).launch(stream, "use", [&] { done = true; });
            }
            EXPECT_TRUE(done_at_release) << (reads ? "read" : "written") << " on stream " << stream;
        }
    driver(device).free(block);
}

TEST_P(DeviceMemory, MemoryOfTheCallersMayGoDuringACapture) {
    const Device device = GetParam();
    void* block = driver(device).allocate(sizeof(float));
    bool released = false;
    Tensor x = Tensor::from_blob(block, Shape{1}, {DType::f32, device}, [&] { released = true; });
    x.fill_(3);
    Tensor y = Tensor::zeros(Shape{1}, {DType::f32, device});
    const Graph graph = Graph::capture(device, [&] {
        x = Tensor();
        y.copy_(y + 1.0);
    });
    EXPECT_TRUE(released);
    graph.replay();
    EXPECT_EQ(y.item(), 1);
    driver(device).free(block);
}

}  // namespace
