#include "core/stream.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/error.h"
#include "tests/core/scripted_driver.h"

namespace {

using namespace heddle;
using heddle::testing::ScriptedDriver;
using Order = ScriptedDriver::Order;

/// A value and what the scheduler remembers of it.
struct Cell {
    int value = 0;
    StreamHistory history = {};
};

class Machine {
  public:
    explicit Machine(Order order = Order::latest, std::uint64_t seed = 0) : driver(order, seed), scheduler(driver) {
        for (int i = 0; i < 3; ++i) scheduler.create();
    }
    void run(StreamId stream, std::vector<Cell*> reads, std::vector<Cell*> writes, std::function<void()> work) {
        std::vector<StreamHistory*> r, w;
        for (Cell* cell : reads) r.push_back(&cell->history);
        for (Cell* cell : writes) w.push_back(&cell->history);
        const StreamOperation operation(scheduler, stream, r, w);
        driver.launch(stream, "test", work);
    }

    ScriptedDriver driver;
    StreamScheduler scheduler;
};

/// Every order in which the device may run a program.
template <class Program>
void in_every_order(const Program& program) {
    for (const Order order : {Order::earliest, Order::latest}) {
        Machine machine(order);
        program(machine);
    }
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Machine machine(Order::seeded, seed);
        program(machine);
    }
}

TEST(Streams, ReadAfterWrite) {
    in_every_order([](Machine& m) {
        Cell a, b;
        m.run(1, {}, {&a}, [&] { a.value = 5; });
        m.run(2, {&a}, {&b}, [&] { b.value = a.value + 1; });
        m.driver.drain();
        EXPECT_EQ(b.value, 6);
    });
}

TEST(Streams, WriteAfterRead) {
    in_every_order([](Machine& m) {
        Cell a, b;
        a.value = 3;
        m.run(1, {&a}, {&b}, [&] { b.value = a.value; });
        m.run(2, {}, {&a}, [&] { a.value = 9; });
        m.driver.drain();
        EXPECT_EQ(b.value, 3);
        EXPECT_EQ(a.value, 9);
    });
}

TEST(Streams, WriteAfterWrite) {
    in_every_order([](Machine& m) {
        Cell a;
        for (int i = 0; i < 9; ++i)
            m.run(static_cast<StreamId>(i % 4), {}, {&a}, [&a, i] { a.value = a.value * 3 + i; });
        m.driver.drain();
        int want = 0;
        for (int i = 0; i < 9; ++i) want = want * 3 + i;
        EXPECT_EQ(a.value, want);
    });
}

TEST(Streams, InBothListsIsAWrite) {
    in_every_order([](Machine& m) {
        Cell a;
        m.run(1, {&a}, {&a}, [&] { a.value += 1; });
        m.run(2, {&a}, {&a}, [&] { a.value *= 10; });
        m.run(3, {&a}, {&a}, [&] { a.value += 2; });
        m.driver.drain();
        EXPECT_EQ(a.value, 12);
        EXPECT_EQ(a.history.writer.stream, 3u);
        EXPECT_TRUE(a.history.readers.empty());
    });
}

TEST(Streams, RandomProgramsGiveTheSequentialResult) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        Machine m(seed % 3 == 0 ? Order::latest : Order::seeded, seed);
        std::mt19937_64 random(seed);
        std::vector<Cell> cells(6);
        std::vector<long> want(6, 1);
        std::vector<long> got(6, 1);
        for (int i = 0; i < 80; ++i) {
            const std::size_t x = random() % 6, y = random() % 6, z = random() % 6;
            want[z] = (want[x] * 31 + want[y] * 7 + i) % 1000003;
            m.run(static_cast<StreamId>(random() % 4), {&cells[x], &cells[y]}, {&cells[z]},
                  [&got, x, y, z, i] { got[z] = (got[x] * 31 + got[y] * 7 + i) % 1000003; });
            if (random() % 20 == 0) m.scheduler.synchronize(static_cast<StreamId>(random() % 4));
            if (random() % 20 == 0)
                m.scheduler.join(static_cast<StreamId>(random() % 4), static_cast<StreamId>(random() % 4));
        }
        m.driver.drain();
        EXPECT_EQ(got, want) << "seed " << seed;
    }
}

// The test driver must be able to catch a bug: work queued behind the scheduler's back runs in the wrong order.
TEST(Streams, AMissingDependencyShows) {
    Machine m(Order::latest);
    Cell a, b;
    m.driver.launch(1, "unstated write", [&] { a.value = 5; });
    m.run(2, {&a}, {&b}, [&] { b.value = a.value + 1; });
    m.driver.drain();
    EXPECT_EQ(b.value, 1);
}

TEST(Streams, TwoReadersDoNotWaitForEachOther) {
    Machine m;
    Cell a, b, c;
    m.run(1, {&a}, {&b}, [] {});
    m.run(2, {&a}, {&c}, [] {});
    EXPECT_EQ(m.driver.waits, 0);
    m.run(3, {}, {&a}, [] {});  // a writer waits for both
    EXPECT_EQ(m.driver.waits, 2);
}

TEST(Streams, OneStreamRecordsNothing) {
    Machine m;
    Cell a;
    for (int i = 0; i < 100; ++i) m.run(1, {&a}, {&a}, [] {});
    EXPECT_EQ(m.driver.records, 0);
    EXPECT_EQ(m.driver.waits, 0);
}

TEST(Streams, EventsAreRecordedAtTheFirstWaitOnly) {
    Machine m;
    Cell a, b, c, d;
    m.run(1, {}, {&a}, [] {});
    EXPECT_EQ(m.driver.records, 0);
    m.run(2, {&a}, {&b}, [] {});
    m.run(3, {&a}, {&c}, [] {});  // the same event serves
    EXPECT_EQ(m.driver.records, 1);
    EXPECT_EQ(m.driver.waits, 2);
    m.run(2, {&a}, {&d}, [] {});  // already passed
    EXPECT_EQ(m.driver.waits, 2);
    EXPECT_EQ(m.scheduler.waits(), 2u);
    EXPECT_EQ(m.scheduler.events(), 1u);
}

TEST(Streams, PassesAreTransitive) {
    Machine m;
    Cell a, b, c;
    m.run(1, {}, {&a}, [] {});
    m.run(2, {&a}, {&b}, [] {});
    m.run(3, {&b}, {&c}, [] {});
    EXPECT_EQ(m.driver.waits, 2);
    m.run(3, {&a}, {&c}, [] {});  // stream 2 had waited for it
    EXPECT_EQ(m.driver.waits, 2);
}

TEST(Streams, WhatTheHostHasWaitedForNeedsNoWait) {
    Machine m;
    Cell a, b;
    m.run(1, {}, {&a}, [&] { a.value = 5; });
    m.scheduler.synchronize(1);
    EXPECT_EQ(a.value, 5);
    m.run(2, {&a}, {&b}, [] {});
    EXPECT_EQ(m.driver.waits, 0);
}

TEST(Streams, Join) {
    in_every_order([](Machine& m) {
        int value = 0;
        Cell a;
        m.run(1, {}, {&a}, [&] { value = 4; });
        m.scheduler.join(2, 1);
        m.driver.launch(2, "unknown to the scheduler", [&] { value *= 2; });
        m.driver.drain();
        EXPECT_EQ(value, 8);
    });
}

TEST(Streams, JoinOfALentStreamSeesItsOwnersWork) {
    in_every_order([](Machine& m) {
        int value = 0;
        const StreamId mine = m.driver.create_stream();
        m.scheduler.lend(mine);
        m.driver.launch(mine, "the user's", [&] { value = 4; });
        m.scheduler.join(1, mine);
        m.driver.launch(1, "after", [&] { value += 1; });
        m.driver.launch(mine, "the user's", [&] { value = value * 10; });
        m.scheduler.join(2, mine);
        m.scheduler.join(2, 1);
        m.driver.launch(2, "after", [&] { value += value > 40 ? 2 : 0; });
        m.driver.drain();
        EXPECT_TRUE(value == 43 || value == 52) << value;  // the two in the middle are free to swap
    });
}

TEST(Streams, ALentStreamIsTakenBackDone) {
    in_every_order([](Machine& m) {
        Cell a, b;
        const StreamId mine = m.driver.create_stream();
        m.scheduler.lend(mine);
        m.run(mine, {}, {&a}, [&] { a.value = 5; });
        m.scheduler.take_back(mine);
        EXPECT_EQ(a.value, 5);
        const int waits = m.driver.waits, waited_for = m.driver.synchronizations;
        m.run(1, {&a}, {&b}, [&] { b.value = a.value + 1; });
        EXPECT_EQ(m.driver.waits, waits);  // nobody waits for it any more, nor does
        m.scheduler.synchronize();         // waiting for everything
        EXPECT_EQ(m.driver.synchronizations, waited_for + 4);
        EXPECT_EQ(b.value, 6);
        EXPECT_THROW(m.scheduler.take_back(mine), Error);
        EXPECT_THROW(m.scheduler.take_back(1), Error);  // the scheduler's own
        EXPECT_THROW(m.scheduler.take_back(0), Error);
        m.scheduler.lend(mine);
        m.run(mine, {&a}, {&b}, [&] { b.value = a.value + 2; });
        m.driver.drain();
        EXPECT_EQ(b.value, 7);
    });
}

// Thread A has begun an operation but not queued it; thread B makes the stream record an event. The event does not
// cover A's operation, so a later wait for that one needs another.
TEST(Streams, AnEventDoesNotCoverWhatIsNotQueuedYet) {
    Machine m(Order::latest);
    Cell a, b, c;
    std::vector<StreamHistory*> writes{&a.history};
    const std::uint64_t ticket = m.scheduler.begin(1, {}, writes);
    m.run(1, {}, {&b}, [&] { b.value = 1; });
    m.run(2, {&b}, {&c}, [&] { c.value = b.value; });
    m.driver.launch(1, "late", [&] { a.value = 7; });
    m.scheduler.queued(1, ticket);
    m.run(2, {&a, &b}, {&c}, [&] { c.value = 10 * a.value + b.value; });
    m.driver.drain();
    EXPECT_EQ(c.value, 71);
}

TEST(Streams, AHostDriverKeepsNoHistory) {
    const auto host = make_host_driver();
    StreamScheduler scheduler(*host);
    StreamHistory history;
    std::vector<StreamHistory*> list{&history};
    EXPECT_EQ(scheduler.begin(0, list, list), 0u);
    EXPECT_FALSE(history.written);
    EXPECT_TRUE(history.readers.empty());
}

TEST(Streams, ThreadsOnStreamsOfTheirOwn) {
    Machine m(Order::seeded, 1);
    std::vector<long> sums(3, 0);
    std::vector<std::thread> threads;
    for (StreamId stream = 1; stream <= 3; ++stream)
        threads.emplace_back([&m, &sums, stream] {
            Cell a;
            for (int i = 0; i < 300; ++i) {
                m.run(stream, {&a}, {&a}, [&sums, stream] { ++sums[stream - 1]; });
                m.run(i % 2 ? stream : 0, {&a}, {&a}, [] {});
                if (i % 50 == 0) m.scheduler.synchronize(stream);
            }
        });
    for (std::thread& thread : threads) thread.join();
    m.scheduler.synchronize();
    EXPECT_EQ(sums, (std::vector<long>{300, 300, 300}));
}

TEST(StreamGuard, NestsAndIsPerThread) {
    const Device cpu = Device::cpu(), gpu{DeviceKind::cuda, 1};
    EXPECT_EQ(current_stream(cpu), 0u);
    {
        const StreamGuard outer(cpu, 3);
        EXPECT_EQ(current_stream(cpu), 3u);
        EXPECT_EQ(current_stream(gpu), 0u);
        {
            const StreamGuard inner(cpu, 4), other(gpu, 5);
            EXPECT_EQ(current_stream(cpu), 4u);
            EXPECT_EQ(current_stream(gpu), 5u);
            std::thread([&] { EXPECT_EQ(current_stream(cpu), 0u); }).join();
        }
        EXPECT_EQ(current_stream(cpu), 3u);
    }
    EXPECT_EQ(current_stream(cpu), 0u);
}

}  // namespace
