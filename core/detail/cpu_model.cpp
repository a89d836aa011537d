#include "core/detail/cpu_model.h"

#include <fstream>

namespace heddle::detail {

std::string cpu_fact(std::string_view name) {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos || line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1) != name) continue;
        const std::size_t value = line.find_first_not_of(' ', colon + 1);
        return value == std::string::npos ? "" : line.substr(value);
    }
    return "";
}

std::string cpu_model() {
    const std::string name = cpu_fact("model name");
    return name.empty() ? "unknown processor" : name;
}

}  // namespace heddle::detail
