#include "cli/run_record.h"

#include <array>
#include <ctime>

#include "cli/libraries.h"
#include "core/version.h"
#include "kernels/machine.h"

namespace heddle::cli {

Config version_record() {
    Config versions;
    versions.set("heddle", version());
    for (const LibraryVersion& library : library_versions()) versions.set(library.name, library.loaded);
    return versions.set("instructions", cpu_instructions());
}

std::string present_time() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text.data();
}

}  // namespace heddle::cli
