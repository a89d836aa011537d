#include "core/profile.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "core/check.h"
#include "core/env.h"

namespace heddle {
namespace {

struct Sum {
    std::uint64_t calls = 0;
    std::uint64_t nanoseconds = 0;
};

struct Profile {
    std::mutex mutex;
    std::unordered_map<std::string_view, Sum> sums;
};

Profile& sums() {
    static Profile& profile = *new Profile;  // never destroyed: ranges may end after main
    return profile;
}

std::uint64_t now() {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count());
}

// An environment variable must not end the program before main, so a value other than 0 or 1 is reported and means off.
bool wanted_at_start() {
    const char* value = std::getenv("HEDDLE_PROFILE");
    const std::string_view text = value ? value : "";
    if (text != "1" && text != "0" && !text.empty())
        std::fprintf(stderr, "heddle: HEDDLE_PROFILE: expected 0 or 1, got \"%s\": nothing is measured\n", value);
    if (text != "1") return false;
    sums();
    std::atexit([] { std::fputs(profile_report().c_str(), stderr); });
    return true;
}

}  // namespace

std::atomic<bool> ProfileRange::enabled{wanted_at_start()};

void ProfileRange::begin() { start_ = now(); }

void ProfileRange::end() {
    const std::uint64_t elapsed = now() - start_;
    Profile& profile = sums();
    const std::lock_guard lock(profile.mutex);
    Sum& sum = profile.sums[name_];
    ++sum.calls;
    sum.nanoseconds += elapsed;
}

void set_profiling(bool on) {
    Profile& profile = sums();
    const std::lock_guard lock(profile.mutex);
    if (on && !ProfileRange::enabled) profile.sums.clear();
    ProfileRange::enabled = on;
}

std::vector<ProfileEntry> profile() {
    std::vector<ProfileEntry> result;
    {
        Profile& profile = sums();
        const std::lock_guard lock(profile.mutex);
        for (const auto& [name, sum] : profile.sums)
            result.push_back({std::string(name), sum.calls, static_cast<double>(sum.nanoseconds) * 1e-9});
    }
    std::sort(result.begin(), result.end(), [](const ProfileEntry& a, const ProfileEntry& b) {
        return a.seconds != b.seconds ? a.seconds > b.seconds : a.name < b.name;
    });
    return result;
}

std::string profile_report() {
    std::string report = fmt::format("{:<40} {:>10} {:>12} {:>12}\n", "range", "calls", "total ms", "mean us");
    for (const ProfileEntry& entry : profile())
        report += fmt::format("{:<40} {:>10} {:>12.3f} {:>12.3f}\n", entry.name, entry.calls, entry.seconds * 1e3,
                              entry.seconds * 1e6 / static_cast<double>(entry.calls));
    return report;
}

}  // namespace heddle
