#pragma once

#include <gtest/gtest.h>

#include <cstddef>

#include "core/allocator.h"
#include "tests/core/scoped_env.h"
#include "tests/core/scripted_driver.h"

namespace heddle::testing {

inline constexpr std::size_t kib = 1024, mib = 1024 * kib;

/// Caching, whatever the build's default is; with and without growable memory.
class AllocatorOverDriver : public ::testing::TestWithParam<bool> {
  protected:
    AllocatorOverDriver() { driver.growable = GetParam(); }
    ~AllocatorOverDriver() override { EXPECT_EQ(driver.frees_while_busy, 0); }

    ScopedEnv caching{"HEDDLE_ALLOCATOR", "caching"};
    ScopedEnv no_limit{"HEDDLE_MEMORY_LIMIT", nullptr};
    ScriptedDriver driver{ScriptedDriver::Order::latest};
};

inline std::string growable_name(const ::testing::TestParamInfo<bool>& info) {
    return info.param ? "growable" : "segments";
}

}  // namespace heddle::testing
