#include "cli/memory.h"

#include <charconv>
#include <fstream>
#include <string>

namespace heddle::cli {
namespace {

/// A line like "VmHWM:    123456 kB" of /proc/self/status, in bytes; 0 where there is none.
std::size_t status_bytes(const std::string& field) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(field + ":")) continue;
        const std::size_t digits = line.find_first_of("0123456789");
        std::size_t kilobytes = 0;
        if (digits != std::string::npos) std::from_chars(line.data() + digits, line.data() + line.size(), kilobytes);
        return kilobytes * 1024;
    }
    return 0;
}

}  // namespace

MemoryGauge::MemoryGauge() : idle_(status_bytes("VmRSS")) {}

std::size_t MemoryGauge::peak_growth() const {
    const std::size_t peak = status_bytes("VmHWM");
    return peak > idle_ ? peak - idle_ : 0;
}

}  // namespace heddle::cli
