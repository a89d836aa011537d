#include "core/driver/sim/driver.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/allocator.h"
#include "core/error.h"
#include "core/stream.h"

// The simulated device by itself: numbers stand for tensors, lambdas for kernels.
namespace {

using namespace heddle;
using namespace heddle::sim;

class SimDriverTest : public testing::TestWithParam<RunOrder> {
  protected:
    SimDriver driver{GetParam(), 7};

    int* number() { return static_cast<int*>(driver.allocate(sizeof(int))); }
    void set(int* place, int value, StreamId stream) {
        driver.launch(stream, "set", [=] { *place = value; });
    }
    void add(int* to, const int* a, const int* b, StreamId stream) {
        // Unsigned: where an order is wrong on purpose, memory that nobody wrote is added up.
        driver.launch(stream, "add",
                      [=] { *to = static_cast<int>(static_cast<unsigned>(*a) + static_cast<unsigned>(*b)); });
    }
    int read(const int* place) {
        int value = -1;
        driver.copy(&value, place, sizeof value, CopyKind::device_to_host, 0);
        return value;
    }
};

INSTANTIATE_TEST_SUITE_P(Orders, SimDriverTest,
                         testing::Values(RunOrder::earliest, RunOrder::latest, RunOrder::random));

TEST_P(SimDriverTest, AStreamKeepsItsOrder) {
    int *a = number(), *b = number();
    set(a, 1, 0);
    set(b, 2, 0);
    add(a, a, b, 0);
    set(b, 10, 0);
    add(a, a, b, 0);
    EXPECT_EQ(read(a), 13);
}

TEST_P(SimDriverTest, EventsOrderStreams) {
    const StreamId side = driver.create_stream();
    const EventId event = driver.create_event();
    for (int repeat = 0; repeat < 10; ++repeat) {
        int *a = number(), *b = number();
        set(a, 5, side);
        driver.record(event, side);
        EXPECT_FALSE(driver.query(event));
        driver.wait(0, event);
        add(b, a, a, 0);
        EXPECT_EQ(read(b), 10);
        EXPECT_TRUE(driver.query(event));
    }
}

TEST_P(SimDriverTest, AWaitIsForTheRecordBeforeIt) {
    const StreamId side = driver.create_stream();
    const EventId event = driver.create_event();
    int *a = number(), *b = number();
    set(a, 1, side);
    driver.record(event, side);
    driver.wait(0, event);
    add(b, a, a, 0);
    driver.wait(side, event);  // not a deadlock: it has been recorded before
    driver.record(event, 0);
    driver.synchronize(0);
    EXPECT_EQ(read(b), 2);
}

TEST_P(SimDriverTest, CopiesFollowCuda) {
    int* device = number();
    int* pinned = static_cast<int*>(driver.allocate_pinned(sizeof(int)));
    int pageable = 3;
    driver.copy(device, &pageable, sizeof(int), CopyKind::host_to_device, 0);
    pageable = 4;  // it was read at once
    EXPECT_EQ(read(device), 3);

    *pinned = 5;
    driver.copy(device, pinned, sizeof(int), CopyKind::host_to_device, 0);
    *pinned = 6;  // a mistake of the program: the copy has not happened yet
    EXPECT_EQ(read(device), 6);
    driver.free_pinned(pinned);
    int host = 0;
    EXPECT_THROW(driver.copy(&host, &pageable, sizeof(int), CopyKind::device_to_host, 0), Error);
}

TEST_P(SimDriverTest, AnErrorComesOutWhereSomebodyWaits) {
    int* a = number();
    driver.launch(0, "broken", [] { fail("broken: it is"); });
    set(a, 1, 0);
    EXPECT_THROW(driver.synchronize(0), Error);
    set(a, 2, 0);  // the device goes on, without what was queued behind the error
    EXPECT_EQ(read(a), 2);
}

TEST_P(SimDriverTest, AWaitForNothingIsNoWait) {
    const EventId event = driver.create_event();
    driver.wait(0, event);
    EXPECT_TRUE(driver.query(event));
    driver.synchronize(0);
}

// What the scheduler does for tensors.
struct Number {
    int* place;
    StreamHistory history = {};
};

class OrderedTest : public SimDriverTest {
  protected:
    StreamScheduler scheduler{driver};

    void ordered_set(Number& to, int value, StreamId stream) {
        StreamHistory* write = &to.history;
        const StreamOperation operation(scheduler, stream, {}, std::span(&write, 1));
        set(to.place, value, stream);
    }
    void ordered_add(Number& to, Number& a, Number& b, StreamId stream) {
        StreamHistory *reads[] = {&a.history, &b.history}, *write = &to.history;
        const StreamOperation operation(scheduler, stream, reads, std::span(&write, 1));
        add(to.place, a.place, b.place, stream);
    }
};

INSTANTIATE_TEST_SUITE_P(Orders, OrderedTest, testing::Values(RunOrder::earliest, RunOrder::latest, RunOrder::random));

TEST_P(OrderedTest, TheSchedulerStatesEveryDependency) {
    const StreamId s[] = {0, scheduler.create(), scheduler.create()};
    Number a{number()}, b{number()}, c{number()};
    ordered_set(a, 1, s[0]);
    ordered_set(b, 1, s[1]);
    for (int i = 0; i < 20; ++i) {
        ordered_add(c, a, b, s[i % 3]);
        ordered_add(a, b, c, s[(i + 1) % 3]);
        ordered_add(b, c, c, s[(i * 2 + 2) % 3]);
    }
    unsigned x = 1, y = 1, z = 0;
    for (int i = 0; i < 20; ++i) {
        z = x + y;
        x = y + z;
        y = z + z;
    }
    scheduler.synchronize();
    EXPECT_EQ(static_cast<unsigned>(read(a.place)), x);
    EXPECT_EQ(static_cast<unsigned>(read(b.place)), y);
}

// The same program with one dependency left out: the order "latest" gives a wrong sum, every time.
TEST(PlantedBugs, AMissingEventWaitIsCaught) {
    const auto result = [](bool wait) {
        SimDriver driver(RunOrder::latest, 0);
        const StreamId side = driver.create_stream();
        const EventId event = driver.create_event();
        int* a = static_cast<int*>(driver.allocate(sizeof(int)));
        driver.launch(0, "set", [=] { *a = 1; });
        driver.synchronize(0);
        driver.launch(0, "set", [=] { *a = 2; });
        driver.record(event, 0);
        if (wait) driver.wait(side, event);
        driver.launch(side, "double", [=] { *a *= 2; });
        driver.synchronize(0);
        driver.synchronize(side);
        int value = 0;
        driver.copy(&value, a, sizeof value, CopyKind::device_to_host, 0);
        return value;
    };
    EXPECT_EQ(result(true), 4);
    EXPECT_EQ(result(false), 2);
}

// Memory goes back while another stream still reads it; told of that use, the allocator orders the next owner behind
// it.
TEST(PlantedBugs, AUseAfterFreeAcrossStreamsIsCaught) {
    const auto result = [](bool tell) {
        SimDriver driver(RunOrder::latest, 0);
        StreamScheduler scheduler(driver);
        Allocator allocator(driver, &scheduler, AllocatorMode::caching);
        const StreamId side = scheduler.create();
        int* first = static_cast<int*>(allocator.allocate(sizeof(int), 0));
        int* sum = static_cast<int*>(driver.allocate(sizeof(int)));

        StreamHistory history;
        StreamHistory* both = &history;
        {
            const StreamOperation operation(scheduler, 0, {}, std::span(&both, 1));
            driver.launch(0, "set", [=] { *first = 1; });
        }
        {
            const StreamOperation operation(scheduler, side, std::span(&both, 1), {});
            driver.launch(side, "read", [=] { *sum = *first; });
        }
        allocator.free(first, tell ? std::span<const StreamUse>(history.readers) : std::span<const StreamUse>());
        int* second = static_cast<int*>(allocator.allocate(sizeof(int), 0));
        EXPECT_EQ(second, first);
        driver.launch(0, "set", [=] { *second = 100; });
        scheduler.synchronize();
        int value = 0;
        driver.copy(&value, sum, sizeof value, CopyKind::device_to_host, 0);
        return value;
    };
    EXPECT_EQ(result(true), 1);
    EXPECT_EQ(result(false), 100);
}

TEST(SimMemoryDeathTest, TheHostCannotReadIt) {
    SimDriver driver(RunOrder::earliest, 0);
    volatile int* a = static_cast<int*>(driver.allocate(sizeof(int)));
    driver.fill_zero(const_cast<int*>(a), sizeof(int), 0);
    driver.synchronize(0);
    EXPECT_DEATH({ static_cast<void>(*a == 0); }, "");
}

TEST_P(SimDriverTest, ReplaysRunTheSameWorkOnNewValues) {
    int *input = number(), *output = number(), *middle = number();
    const StreamId side = driver.create_stream();
    const EventId fork = driver.create_event(), join = driver.create_event();
    set(input, 1, 0);
    driver.synchronize(0);
    driver.begin_capture(0);
    add(middle, input, input, 0);
    driver.record(fork, 0);
    driver.wait(side, fork);
    add(output, middle, input, side);
    driver.record(join, side);
    driver.wait(0, join);
    add(output, output, output, 0);
    const GraphId graph = driver.end_capture(0);
    EXPECT_EQ(read(input), 1);
    for (int value = 1; value <= 5; ++value) {
        set(input, value, 0);
        driver.replay(graph, 0);
        EXPECT_EQ(read(output), 6 * value);
    }
    set(input, 10, 0);
    driver.replay(graph, 0);
    driver.replay(graph, 0);  // behind the first one
    add(middle, output, output, 0);
    EXPECT_EQ(read(middle), 120);
    driver.destroy_graph(graph);
    EXPECT_THROW(driver.replay(graph, 0), Error);
}

TEST_P(SimDriverTest, ACaptureRefusesWhatCudaRefuses) {
    int* a = number();
    int host = 0;
    const StreamId side = driver.create_stream();
    const EventId outside = driver.create_event(), inside = driver.create_event();
    driver.record(outside, side);
    const std::function<void()> refused[] = {
        [&] { driver.synchronize(0); },
        [&] { driver.copy(&host, a, sizeof host, CopyKind::device_to_host, 0); },
        [&] { driver.wait(0, outside); },
    };
    for (const auto& call : refused) {
        driver.begin_capture(0);
        EXPECT_THROW(call(), Error);
        EXPECT_THROW(set(a, 1, 0), Error);  // it has spoiled the capture
        EXPECT_THROW(driver.record(inside, 0), Error);
        EXPECT_THROW(driver.end_capture(0), Error);
        set(a, 4, 0);
        EXPECT_EQ(read(a), 4);
    }
    driver.begin_capture(0);
    EXPECT_THROW(driver.begin_capture(side), Error);
    set(a, 1, 0);
    driver.record(inside, 0);
    driver.synchronize(side);
    driver.wait(side, inside);
    set(a, 2, side);  // and nobody waits for it
    EXPECT_THROW(driver.end_capture(0), Error);
    set(a, 3, 0);  // the capture is over all the same
    EXPECT_EQ(read(a), 3);
}

}  // namespace
