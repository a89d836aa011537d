#include <gtest/gtest.h>

#include "core/stream.h"
#include "core/tensor.h"
#include "tests/core/scoped_env.h"

// Copies between two devices of one kind, each with streams and a scheduler of its own. Nothing runs before somebody
// waits, so a copy that is not ordered behind the source's writer, or before its next one, has the wrong values.
namespace {

using namespace heddle;

using Floats = std::vector<float>;

class Peers : public ::testing::Test {
  protected:
    heddle::testing::ScopedEnv libraries{"HEDDLE_DEVICE_LIBRARIES", HEDDLE_TEST_DEVICES};
    const Device first{DeviceKind::cuda, 0}, second{DeviceKind::cuda, 1};

    /// On `device`, by work that is queued on `stream` and has not run.
    static Tensor queued(const Floats& values, Device device, StreamId stream = 0) {
        const Tensor known = Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())}).to(device);
        const StreamGuard guard(device, stream);
        return known.clone();
    }
};

TEST_F(Peers, ACopyComesBehindTheSourcesWriter) {
    const StreamId side = scheduler(first).create();
    for (const StreamId stream : {StreamId{0}, side}) {
        const Tensor there = queued({1, 2, 3}, first, stream).to(second);
        EXPECT_EQ(there.device(), second);
        EXPECT_EQ(there.to_vector<float>(), (Floats{1, 2, 3}));
    }
}

TEST_F(Peers, ACopyComesBeforeTheSourcesNextWriter) {
    const Tensor source = queued({1, 2, 3}, first), other = queued({7, 8, 9}, first);
    const Tensor there = source.to(second);
    source.copy_(other);
    EXPECT_EQ(source.to_vector<float>(), (Floats{7, 8, 9}));
    EXPECT_EQ(there.to_vector<float>(), (Floats{1, 2, 3}));
}

TEST_F(Peers, ACopyComesBehindTheTargetsUsers) {
    const Tensor target = queued({1, 2, 3}, second), source = queued({7, 8, 9}, first);
    const Tensor read = target.clone();
    target.copy_(source);
    EXPECT_EQ(read.to_vector<float>(), (Floats{1, 2, 3}));
    EXPECT_EQ(target.to_vector<float>(), (Floats{7, 8, 9}));
}

// Streams and tickets of one device mean nothing to the other: here the second has no such stream.
TEST_F(Peers, AHostsTensorMayComeFromAnotherDevicesStream) {
    StreamId stream = 0;
    while (stream < 6) stream = scheduler(first).create();
    const Tensor host = Tensor::zeros(Shape{3});
    {
        const StreamGuard guard(first, stream);
        host.copy_(queued({4, 5, 6}, first, stream));
    }
    EXPECT_EQ(host.to(second).to_vector<float>(), (Floats{4, 5, 6}));
    scheduler(second).synchronize();
}

TEST_F(Peers, GradientsGoHome) {
    Tensor x = queued({1, 2, 3}, first);
    x.set_requires_grad();
    x.to(second).backward(queued({4, 5, 6}, second));
    EXPECT_EQ(x.grad().device(), first);
    EXPECT_EQ(x.grad().to_vector<float>(), (Floats{4, 5, 6}));
}

}  // namespace
