#pragma once

#include <filesystem>
#include <string>

#include "core/check.h"

namespace heddle::detail {

/// Makes the folder that a file is to be in, if there is none. Throws `Error` where that cannot be done.
inline void make_folder_of(const std::string& path) {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code error;
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    check(!error, "cannot create the folder {}: {}", folder.string(), error.message());
}

}  // namespace heddle::detail
