#include "core/parallel.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "core/check.h"
#include "core/error.h"

namespace {

using namespace heddle;

using Part = std::pair<std::int64_t, std::int64_t>;

std::vector<Part> parts_of(std::int64_t count, std::int64_t grain) {
    std::mutex mutex;
    std::vector<Part> parts;
    parallel_for(count, grain, [&](std::int64_t first, std::int64_t last) {
        const std::lock_guard lock(mutex);
        parts.emplace_back(first, last);
    });
    std::sort(parts.begin(), parts.end());
    return parts;
}

class Threads : public ::testing::Test {
  protected:
    ~Threads() override { set_thread_count(0); }
};

TEST_F(Threads, PartsCoverTheRangeOnce) {
    for (const int threads : {1, 2, 3, 8}) {
        set_thread_count(threads);
        EXPECT_EQ(thread_count(), threads);
        for (const std::int64_t count : {0, 1, 2, 7, 8, 100, 1001})
            for (const std::int64_t grain : {0, 1, 3, 50}) {
                const auto parts = parts_of(count, grain);
                EXPECT_LE(parts.size(), static_cast<std::size_t>(threads));
                std::int64_t next = 0;
                for (const auto& [first, last] : parts) {
                    EXPECT_EQ(first, next);
                    EXPECT_GT(last, first);
                    next = last;
                }
                EXPECT_EQ(next, count);
            }
    }
}

TEST_F(Threads, SmallLoopsStayOnTheCaller) {
    set_thread_count(4);
    EXPECT_EQ(parts_of(100, 100).size(), 1u);
    EXPECT_EQ(parts_of(100, 25).size(), 4u);
    EXPECT_EQ(parts_of(100, 50).size(), 2u);
    const auto caller = std::this_thread::get_id();
    parallel_for(10, 1000, [&](std::int64_t, std::int64_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

#if !defined(__SANITIZE_THREAD__)  // where every part is a new thread
TEST_F(Threads, LoopsOfFewPartsEndNoThread) {
    set_thread_count(4);
    const auto threads_of = [](std::int64_t parts) {
        std::mutex mutex;
        std::set<long> ids;
        parallel_for(parts, 1, [&](std::int64_t, std::int64_t) {
            const std::lock_guard lock(mutex);
            ids.insert(syscall(SYS_gettid));
        });
        return ids;
    };
    const std::set<long> all = threads_of(4);
    EXPECT_EQ(all.size(), 4u);
    for (const std::int64_t parts : {2, 3, 2, 4}) {
        const std::set<long> some = threads_of(parts);
        EXPECT_EQ(some.size(), static_cast<std::size_t>(parts));
        EXPECT_TRUE(std::includes(all.begin(), all.end(), some.begin(), some.end()));
    }
}
#endif

TEST_F(Threads, AnErrorReachesTheCaller) {
    set_thread_count(3);
    for (const std::int64_t bad : {0, 1, 2})
        EXPECT_THROW(parallel_for(3, 1, [&](std::int64_t first, std::int64_t) { check(first != bad, "part {}", bad); }),
                     Error);
    EXPECT_EQ(parts_of(3, 1).size(), 3u);
}

TEST_F(Threads, CountIsChecked) {
    EXPECT_THROW(set_thread_count(-1), Error);
    EXPECT_THROW(set_thread_count(5000), Error);
}

#if defined(__x86_64__) && !defined(__FAST_MATH__)
bool flushes() {
    volatile float tiny = 1e-38f;
    return tiny * 0.01f == 0.0f;
}

TEST_F(Threads, FlushDenormalsRestoresTheCallersMode) {
    set_thread_count(3);
    EXPECT_FALSE(flushes());
    {
        const FlushDenormals outer;
        EXPECT_TRUE(flushes());
        {
            const FlushDenormals inner;
            EXPECT_TRUE(flushes());
        }
        EXPECT_TRUE(flushes());
        parallel_for(3, 1, [](std::int64_t, std::int64_t) { EXPECT_TRUE(flushes()); });
    }
    EXPECT_FALSE(flushes());
}

TEST_F(Threads, WorkersFlushEvenAfterTheirNumberGrew) {
    set_thread_count(2);
    { const FlushDenormals flush; }
    set_thread_count(6);
    const FlushDenormals flush;
    parallel_for(6, 1, [](std::int64_t, std::int64_t) { EXPECT_TRUE(flushes()); });
}
#endif

}  // namespace
