#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "core/allocator.h"
#include "core/detail/forwarding_driver.h"
#include "core/driver/sim/driver.h"
#include "core/error.h"
#include "core/stream.h"
#include "tests/core/scoped_env.h"

// What a capture and everything else that uses the device do to each other: the simulated device refuses what CUDA
// refuses, and a refused call spoils the capture.
namespace {

using namespace heddle;
using namespace heddle::sim;
using heddle::testing::message_of;

constexpr std::size_t mib = 1 << 20;

class CaptureTest : public ::testing::Test {
  protected:
    SimDriver driver{RunOrder::latest, 0};
    StreamScheduler scheduler{driver};
    Allocator allocator{driver, &scheduler, AllocatorMode::caching};

    /// Work that is queued, or captured.
    void queue(StreamId stream) {
        const StreamOperation operation(scheduler, stream, {}, {});
        driver.launch(stream, "nothing", [] {});
    }

    /// `call` comes to its end on another thread, without an error, and only when the capture of stream 0, which is
    /// under way, has come to its own.
    void expect_to_let_the_capture_pass(const std::function<void()>& call) {
        std::atomic<bool> done = false;
        std::string message;
        std::thread other([&] {
            message = message_of<Error>(call);
            done = true;
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        EXPECT_FALSE(done);
        EXPECT_EQ(message_of<Error>([&] { driver.destroy_graph(scheduler.end_capture(0)); }), "");
        other.join();
        EXPECT_EQ(message, "");
    }
};

TEST_F(CaptureTest, AnotherThreadsMemoryWaitsForItsEnd) {
    const StreamId lent = driver.create_stream();
    scheduler.lend(lent);
    void* x = allocator.allocate(4 * mib, 0);
    allocator.set_limit(4 * mib);  // the other thread has to take over x
    scheduler.begin_capture(0);
    queue(0);
    allocator.free(x);
    expect_to_let_the_capture_pass([&] { allocator.free(allocator.allocate(4 * mib, lent)); });
}

TEST_F(CaptureTest, AnotherThreadsGivingBackWaitsForItsEnd) {
    for (const bool short_of_memory : {false, true}) {
        allocator.set_limit(4 * mib);
        void *x = allocator.allocate(2 * mib, 0), *y = allocator.allocate(2 * mib, 0);
        allocator.free(x);
        allocator.free(y);
        scheduler.begin_capture(0);
        queue(0);
        expect_to_let_the_capture_pass([&] {
            if (short_of_memory)
                allocator.free(allocator.allocate(4 * mib, 0));
            else
                allocator.empty_cache();
        });
        allocator.empty_cache();
        EXPECT_EQ(allocator.stats().reserved, 0u);
    }
}

TEST_F(CaptureTest, TheEndOfAnAllocatorWaitsForItsEnd) {
    auto other = std::make_unique<Allocator>(driver, &scheduler, AllocatorMode::caching);
    other->free(other->allocate(2 * mib, 0));
    scheduler.begin_capture(0);
    queue(0);
    expect_to_let_the_capture_pass([&] { other.reset(); });
}

TEST_F(CaptureTest, PassedOnMemoryWaitsForItsEnd) {
    const heddle::testing::ScopedEnv mode("HEDDLE_ALLOCATOR", "passthrough");
    Allocator plain(driver, &scheduler);
    void* x = plain.allocate(100, 0);
    scheduler.begin_capture(0);
    queue(0);
    expect_to_let_the_capture_pass([&] { plain.free(x); });
}

// All that was queued before is done, so that the capturing thread has nothing to wait for.
TEST_F(CaptureTest, ItsOwnThreadGivesMemoryBackAtOnce) {
    allocator.set_limit(4 * mib);
    void *x = allocator.allocate(2 * mib, 0), *y = allocator.allocate(2 * mib, 0);
    queue(0);
    allocator.free(x);
    allocator.free(y);
    scheduler.begin_capture(0);
    queue(0);
    void* both = allocator.allocate(4 * mib, 0);
    EXPECT_NE(message_of<Error>([&] { allocator.allocate(4 * mib, 0); }).find("out of memory"), std::string::npos);
    queue(0);
    driver.destroy_graph(scheduler.end_capture(0));
    allocator.free(both);
}

// Short of memory, so that they take over each other's blocks and give memory back all the time.
TEST_F(CaptureTest, ThreadsAllocateAndReleaseBetweenCaptures) {
    allocator.set_limit(16 * mib);
    std::atomic<bool> stop = false;
    std::atomic<int> rounds = 0;
    const auto use = [&](std::size_t bytes, StreamId stream) {
        void* x = allocator.allocate(bytes, stream);
        {
            const StreamOperation operation(scheduler, stream, {}, {});
            driver.launch(stream, "write", [x] { *static_cast<int*>(x) = 1; });
        }
        allocator.free(x);
    };
    std::vector<std::string> messages(3);
    std::vector<std::thread> threads;
    for (std::string& message : messages)
        threads.emplace_back([&, stream = scheduler.create()] {
            message = message_of<Error>([&] {
                for (std::size_t i = 0; !stop; ++i) {
                    use(i % 3 == 0 ? 100 : (1 + i % 4) * mib, stream);
                    if (i % 16 == 0) allocator.empty_cache();
                    ++rounds;
                }
            });
            if (!message.empty()) rounds = 1 << 20;
        });
    for (int captured = 0; captured < 50 || rounds < 500; ++captured) {
        scheduler.begin_capture(0);
        use(1 * mib, 0);
        use(3 * mib, 0);
        const std::string message = message_of<Error>([&] { driver.destroy_graph(scheduler.end_capture(0)); });
        EXPECT_EQ(message, "");
        if (!message.empty()) break;
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(messages, std::vector<std::string>(3));
    allocator.empty_cache();
    EXPECT_EQ(allocator.stats().reserved, 0u);
}

// The other streams of a capture join it after its begin; where that fails, it is ended.
TEST(CaptureOverAFailingDriver, AFailedBeginLeavesNoCapture) {
    struct Failing : detail::ForwardingDriver {
        using ForwardingDriver::ForwardingDriver;
        bool fails = false;
        void wait(StreamId stream, EventId event) override {
            if (fails) fail("no wait");
            ForwardingDriver::wait(stream, event);
        }
    };
    SimDriver driver(RunOrder::latest, 0);
    Failing failing(driver);
    StreamScheduler scheduler(failing);
    const StreamId side = scheduler.create();
    int* number = static_cast<int*>(driver.allocate(sizeof(int)));
    const auto set_to = [&](int value, StreamId stream) {
        const StreamOperation operation(scheduler, stream, {}, {});
        failing.launch(stream, "set", [=] { *number = value; });
    };
    const auto read = [&] {
        int value = 0;
        driver.copy(&value, number, sizeof value, CopyKind::device_to_host, 0);
        return value;
    };
    set_to(1, 0);
    failing.fails = true;
    EXPECT_EQ(message_of<Error>([&] { scheduler.begin_capture(0); }), "no wait");
    failing.fails = false;
    set_to(2, 0);  // runs, and is not captured
    EXPECT_EQ(read(), 2);
    scheduler.join(side, 0);  // by an event of its own, not by one from the failed capture
    set_to(3, side);
    scheduler.synchronize();
    EXPECT_EQ(read(), 3);
    scheduler.begin_capture(0);
    set_to(4, 0);
    const GraphId graph = scheduler.end_capture(0);
    EXPECT_EQ(read(), 3);
    failing.replay(graph, 0);
    EXPECT_EQ(read(), 4);
}

}  // namespace
