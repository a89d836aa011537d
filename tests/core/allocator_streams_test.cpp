#include <cstring>

#include "core/detail/forwarding_driver.h"
#include "core/error.h"
#include "core/stream.h"
#include "tests/core/allocator_fixture.h"

// Memory that several streams use: who may take over a freed block, and behind which wait.
namespace {

using namespace heddle;
using namespace heddle::testing;

class AllocatorStreams : public AllocatorOverDriver {};
INSTANTIATE_TEST_SUITE_P(Driver, AllocatorStreams, ::testing::Bool(), growable_name);

TEST_P(AllocatorStreams, AnotherStreamTakesMemoryOnlyBehindAWait) {
    StreamScheduler order(driver);
    const StreamId copies = order.create();
    Allocator a(driver, &order);
    a.set_limit(8 * mib);  // no new memory: it must take over the block
    auto* x = static_cast<int*>(a.allocate(8 * mib, 0));
    int seen = 0;
    {
        const StreamOperation operation(order, 0, {}, {});
        driver.launch(0, "write, then read", [&] { x[0] = 1; });
        driver.launch(0, "read", [&] { seen = x[0]; });
    }
    a.free(x);
    auto* y = static_cast<int*>(a.allocate(8 * mib, copies));
    ASSERT_EQ(y, x);
    EXPECT_EQ(driver.waits, 1);
    EXPECT_EQ(driver.synchronizations, 0);
    driver.launch(copies, "the new holder's", [&] { y[0] = 2; });
    driver.drain();
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(y[0], 2);
    a.free(y);
}

TEST_P(AllocatorStreams, WithoutAWaitTheMixUpWouldShow) {
    int x = 0, seen = 0;
    const StreamId copies = driver.create_stream();
    driver.launch(0, "write", [&] { x = 1; });
    driver.launch(0, "read", [&] { seen = x; });
    driver.launch(copies, "the new holder's", [&] { x = 2; });
    driver.drain();
    EXPECT_EQ(x, 1);  // the new holder's value is lost
}

TEST_P(AllocatorStreams, AnotherStreamPrefersNewMemoryToAWait) {
    StreamScheduler order(driver);
    const StreamId copies = order.create();
    Allocator a(driver, &order);
    void* x = a.allocate(8 * mib, 0);
    { const StreamOperation operation(order, 0, {}, {}); }
    a.free(x);
    void* y = a.allocate(8 * mib, copies);
    EXPECT_NE(x, y);
    EXPECT_EQ(driver.waits, 0);
    a.free(y);
    order.join(copies, 0);  // has passed all uses of x
    void* z = a.allocate(8 * mib, copies);
    void* w = a.allocate(8 * mib, copies);
    EXPECT_TRUE((z == x && w == y) || (z == y && w == x));
    EXPECT_EQ(driver.waits, 1);
    a.free(z);
    a.free(w);
}

TEST_P(AllocatorStreams, UsesOnOtherStreamsHoldABlockBack) {
    StreamScheduler order(driver);
    const StreamId side = order.create();
    Allocator a(driver, &order);
    auto* x = static_cast<int*>(a.allocate(1 * mib, 0));
    int seen = 0;
    driver.launch(0, "write", [&] { x[0] = 5; });
    std::uint64_t ticket = 0;
    order.join(side, 0);
    {
        // Stands for an operation on `side` that reads x.
        ticket = order.begin(side, {}, {});
        EventId event = driver.create_event();
        driver.record(event, 0);
        driver.wait(side, event);
        driver.launch(side, "read", [&] { seen = x[0]; });
        order.queued(side, ticket);
    }
    const int waits = driver.waits;
    const StreamUse use{side, ticket};
    a.free(x, {&use, 1});
    auto* y = static_cast<int*>(a.allocate(1 * mib, 0));
    ASSERT_EQ(x, y);
    EXPECT_EQ(driver.waits, waits + 1);
    driver.launch(0, "overwrite", [&] { y[0] = 6; });
    driver.drain();
    EXPECT_EQ(seen, 5);
    a.free(y);
}

TEST_P(AllocatorStreams, CoalescedBlocksKeepTheirUses) {
    StreamScheduler order(driver);
    const StreamId side = order.create();
    Allocator a(driver, &order);
    void* whole = a.allocate(8 * mib, 0);
    a.free(whole);
    void* x = a.allocate(4 * mib, 0);
    void* y = a.allocate(4 * mib, 0);
    const std::uint64_t ticket = order.begin(side, {}, {});
    order.queued(side, ticket);
    const StreamUse use{side, ticket};
    a.free(x, {&use, 1});
    a.free(y);
    const int waits = driver.waits;
    whole = a.allocate(8 * mib, 0);
    EXPECT_EQ(driver.waits, waits + 1);
    a.free(whole);
}

TEST_P(AllocatorStreams, MemoryGoesBackOnlyWhenTheDeviceIsDone) {
    StreamScheduler order(driver);
    Allocator a(driver, &order);
    void* x = a.allocate(8 * mib, 0);
    driver.launch(0, "write", [x] { std::memset(x, 1, 8 * mib); });
    a.free(x);
    a.empty_cache();
    EXPECT_EQ(driver.in_use, 0u);  // the fixture checks that nothing was queued then
}

TEST_P(AllocatorStreams, MemoryUsedOnALentStreamThatIsGoneGoesBack) {
    StreamScheduler order(driver);
    const StreamId lent = driver.create_stream();
    order.lend(lent);
    Allocator a(driver, &order);
    void* x = a.allocate(8 * mib, 0);
    std::uint64_t ticket = 0;
    {
        ticket = order.begin(lent, {}, {});
        driver.launch(lent, "write", [x] { std::memset(x, 1, 8 * mib); });
        order.queued(lent, ticket);
    }
    const StreamUse use{lent, ticket};
    a.free(x, {&use, 1});
    order.take_back(lent);
    const int waits = driver.synchronizations_of(lent);
    a.empty_cache();
    EXPECT_EQ(driver.in_use, 0u);
    EXPECT_EQ(driver.synchronizations_of(lent), waits);  // the driver does not know it any more
}

// What a stream has to wait for is not lost where the waiting fails.
TEST_P(AllocatorStreams, AFailedWaitLeavesTheMemoryFree) {
    struct Failing : detail::ForwardingDriver {
        using ForwardingDriver::ForwardingDriver;
        bool fails = false;
        void wait(StreamId stream, EventId event) override {
            if (fails) fail("no wait");
            ForwardingDriver::wait(stream, event);
        }
    } failing(driver);
    StreamScheduler order(failing);
    const StreamId side = order.create();
    Allocator a(failing, &order);
    a.set_limit(8 * mib);
    void* x = a.allocate(8 * mib, 0);
    { const StreamOperation operation(order, 0, {}, {}); }
    a.free(x);
    failing.fails = true;
    EXPECT_THROW(a.allocate(8 * mib, side), Error);
    EXPECT_EQ(a.stats().allocated, 0u);
    failing.fails = false;
    EXPECT_EQ(a.allocate(8 * mib, side), x);
    EXPECT_EQ(driver.waits, 1);
    a.free(x);
}

}  // namespace
