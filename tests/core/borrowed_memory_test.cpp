#include "core/detail/borrowed_memory.h"

#include "tests/core/allocator_fixture.h"

// Private memory, as graphs have it: it belongs to the device's budget, and stays where captured work expects it.
namespace {

using namespace heddle;
using namespace heddle::testing;

class BorrowedMemoryTest : public AllocatorOverDriver {};
INSTANTIATE_TEST_SUITE_P(Driver, BorrowedMemoryTest, ::testing::Bool(), growable_name);

struct Private {
    detail::BorrowedMemory borrowed;
    Allocator allocator;

    Private(Driver& driver, Allocator& lender, StreamOrder* order = nullptr)
        : borrowed(driver, lender), allocator(borrowed, order, AllocatorMode::caching) {}
};

TEST_P(BorrowedMemoryTest, CountsForTheLender) {
    Allocator lender(driver);
    {
        Private own(driver, lender);
        void* x = own.allocator.allocate(10 * mib);
        EXPECT_EQ(own.allocator.stats().allocated, 10 * mib);
        EXPECT_GE(lender.stats().allocated, 10 * mib);
        EXPECT_GE(lender.stats().peak_allocated, 10 * mib);
        EXPECT_EQ(driver.in_use, lender.stats().reserved);
        own.allocator.free(x);
        EXPECT_GE(lender.stats().allocated, 10 * mib);  // nobody else may have it
    }
    EXPECT_EQ(lender.stats().allocated, 0u);
}

TEST_P(BorrowedMemoryTest, AllShareOneLimit) {
    Allocator lender(driver);
    lender.set_limit(16 * mib);
    Private first(driver, lender), second(driver, lender);
    void* x = first.allocator.allocate(10 * mib, 0, "activations");
    const std::string message = message_of<Error>([&] { second.allocator.allocate(10 * mib, 0, "activations"); });
    for (const char* part : {"cannot allocate 10.0 MiB for graph", "limit 16.0 MiB", "graph 10.0 MiB in 1 blocks"})
        EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message_of<Error>([&] { second.allocator.allocate(SIZE_MAX / 2); }).find("cannot allocate 8589934592.00"),
              std::string::npos);  // not the last refusal
    void* y = second.allocator.allocate(4 * mib);
    EXPECT_THROW(lender.allocate(4 * mib), Error);
    second.allocator.free(y);
    first.allocator.free(x);
}

TEST_P(BorrowedMemoryTest, TheEnvironmentsLimitIsTheLenders) {
    const ScopedEnv limit("HEDDLE_MEMORY_LIMIT", "16M");
    Allocator lender(driver);
    Private own(driver, lender);
    EXPECT_THROW(own.allocator.allocate(20 * mib), Error);
    lender.set_limit(0);
    own.allocator.free(own.allocator.allocate(20 * mib));
}

TEST_P(BorrowedMemoryTest, TheLendersFreeMemoryServes) {
    driver.memory = 64 * mib;
    Allocator lender(driver);
    std::vector<void*> blocks;
    for (int i = 0; i < 6; ++i) blocks.push_back(lender.allocate(10 * mib));
    for (void* block : blocks) lender.free(block);
    Private own(driver, lender);
    void* x = own.allocator.allocate(8 * mib);
    void* y = own.allocator.allocate(48 * mib);  // no cached segment is that long where segments cannot grow
    own.allocator.free(x);
    own.allocator.free(y);
}

TEST_P(BorrowedMemoryTest, NothingGoesBackBeforeTheEnd) {
    Allocator lender(driver);
    Private own(driver, lender);
    void* x = own.allocator.allocate(10 * mib);
    own.allocator.free(x);
    own.allocator.empty_cache();
    lender.empty_cache();
    EXPECT_GE(lender.stats().allocated, 10 * mib);
    void* other = lender.allocate(10 * mib);
    EXPECT_NE(other, x);
    lender.free(other);
}

// A tensor that outlives its graph is read on another stream; its memory goes with it.
TEST_P(BorrowedMemoryTest, TheEndWaitsForWhatUsesIt) {
    StreamScheduler order(driver);
    const StreamId side = order.create();
    Allocator lender(driver, &order);
    int seen = 0;
    {
        Private own(driver, lender, &order);
        auto* x = static_cast<int*>(own.allocator.allocate(sizeof(int), 0));
        x[0] = 5;
        const std::uint64_t ticket = order.begin(side, {}, {});
        driver.launch(side, "read", [&seen, x] { seen = x[0]; });
        order.queued(side, ticket);
        const StreamUse use{side, ticket};
        own.allocator.free(x, {&use, 1});
    }
    EXPECT_EQ(seen, 5);
}

}  // namespace
