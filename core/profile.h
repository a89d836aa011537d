#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/export.h"

namespace heddle {

/// Time spent in one named range.
struct ProfileEntry {
    std::string name;
    std::uint64_t calls = 0;
    double seconds = 0;
};

/// Measures the host's time while it lives; inner ranges count into outer ones too. It costs one load of a flag while
/// profiling is off. Every operation opens one under its own name. `name` must live as long as the process.
class HEDDLE_API ProfileRange {
  public:
    explicit ProfileRange(const char* name) : name_(enabled.load(std::memory_order_relaxed) ? name : nullptr) {
        if (name_) begin();
    }
    ~ProfileRange() {
        if (name_) end();
    }
    ProfileRange(const ProfileRange&) = delete;
    ProfileRange& operator=(const ProfileRange&) = delete;

    static std::atomic<bool> enabled;  ///< changed by `set_profiling`

  private:
    void begin();
    void end();
    const char* name_;
    std::uint64_t start_ = 0;
};

/// Turns profiling on (from zero) or off; `HEDDLE_PROFILE=1` turns it on at start and prints the table to stderr at
/// exit.
HEDDLE_API void set_profiling(bool on);
/// What was measured since profiling was turned on, by falling time.
HEDDLE_API std::vector<ProfileEntry> profile();
/// The table as text.
HEDDLE_API std::string profile_report();

}  // namespace heddle
