#include "core/profile.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "tests/core/scoped_env.h"

namespace {

using namespace heddle;

const ProfileEntry* find(const std::vector<ProfileEntry>& entries, const char* name) {
    for (const ProfileEntry& entry : entries)
        if (entry.name == name) return &entry;
    return nullptr;
}

TEST(ProfileDeathTest, AnUnknownSettingIsSaid) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process of its own, which reads the setting anew
    const heddle::testing::ScopedEnv setting("HEDDLE_PROFILE", "2");
    EXPECT_EXIT(_exit(0), ::testing::ExitedWithCode(0), "HEDDLE_PROFILE: expected 0 or 1, got \"2\"");
}

TEST(Profile, CountsCallsAndTime) {
    set_profiling(false);
    { const ProfileRange range("test off"); }
    set_profiling(true);
    for (int i = 0; i < 3; ++i) {
        const ProfileRange outer("test outer");
        const ProfileRange inner("test inner");
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([] {
            for (int i = 0; i < 100; ++i) const ProfileRange range("test threads");
        });
    for (std::thread& thread : threads) thread.join();
    set_profiling(false);
    { const ProfileRange range("test off"); }

    const auto entries = profile();
    EXPECT_EQ(find(entries, "test off"), nullptr);
    ASSERT_NE(find(entries, "test outer"), nullptr);
    ASSERT_NE(find(entries, "test inner"), nullptr);
    ASSERT_NE(find(entries, "test threads"), nullptr);
    EXPECT_EQ(find(entries, "test outer")->calls, 3u);
    EXPECT_GE(find(entries, "test inner")->seconds, 0.006);
    EXPECT_GE(find(entries, "test outer")->seconds, find(entries, "test inner")->seconds);
    EXPECT_EQ(find(entries, "test threads")->calls, 400u);
    for (std::size_t i = 0; i + 1 < entries.size(); ++i) EXPECT_GE(entries[i].seconds, entries[i + 1].seconds);
    EXPECT_NE(profile_report().find("test outer"), std::string::npos);

    set_profiling(true);  // starts from zero
    EXPECT_EQ(find(profile(), "test outer"), nullptr);
    set_profiling(false);
}

}  // namespace
