#include "cli/output.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/check.h"

namespace heddle::cli {

void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        fail(fmt::format("standard output cannot be written: {}", std::strerror(errno)));
}

void print_json(const Config& record) { print(record.to_json() + "\n"); }

void set_finite(Config& record, const Result& values) {
    for (const auto& [name, value] : values)
        if (std::isfinite(value)) record.set(name, value);
}

void check_folder_of(const std::string& path) {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code none;
    check(folder.empty() || std::filesystem::is_directory(folder, none), "{}: cannot be written: there is no folder {}",
          path, folder.string());
}

std::string megabytes(std::size_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

const char* unit(const Dataset& data) { return data.input_shape().rank() == 3 ? "pictures" : "examples"; }

}  // namespace heddle::cli
