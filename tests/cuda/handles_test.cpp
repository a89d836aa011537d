#include "core/driver/cuda/handles.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace {

using heddle::Error;
using heddle::cuda::HandleTable;

TEST(CudaHandles, AddedFoundRemoved) {
    HandleTable<int*> table("stream");
    int things[3];
    EXPECT_EQ(table.add(&things[0]), 0u);
    EXPECT_EQ(table.add(&things[1]), 1u);
    EXPECT_EQ(table.at(1), &things[1]);
    EXPECT_EQ(table.find(&things[1]), 1);
    EXPECT_EQ(table.find(&things[2]), -1);
    EXPECT_EQ(table.remove(0), &things[0]);
    EXPECT_THROW(table.at(0), Error);
    EXPECT_THROW(table.remove(0), Error);
    EXPECT_EQ(table.find(&things[0]), -1);
    EXPECT_EQ(table.add(&things[2]), 0u);  // the number is free again
    EXPECT_THROW(table.at(2), Error);
    EXPECT_THROW(table.at(4000000000u), Error);
}

TEST(CudaHandles, ManyFromManyThreads) {
    HandleTable<std::uint64_t> table("event");
    std::vector<std::vector<std::uint32_t>> ids(4);
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (std::uint64_t i = 0; i < 1000; ++i) {
                const std::uint32_t id = table.add(t << 32 | i);
                ids[t].push_back(id);
                ASSERT_EQ(table.at(id), t << 32 | i);
                if (i % 3 == 0) {
                    table.remove(id);
                    ids[t].pop_back();
                }
            }
        });
    for (std::thread& thread : threads) thread.join();
    std::set<std::uint32_t> all;
    for (const auto& own : ids) all.insert(own.begin(), own.end());
    EXPECT_EQ(all.size(), ids[0].size() * 4);
}

}  // namespace
