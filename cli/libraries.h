#pragma once

#include <string>
#include <vector>

namespace heddle::cli {

/// A library below Heddle.
struct LibraryVersion {
    std::string name = {};
    std::string compiled = {};  ///< the version of the headers
    std::string loaded = {};    ///< the version of the library in this process
    std::string file = {};      ///< where it was loaded from
};
std::vector<LibraryVersion> library_versions();

/// What --precision bf16 is worth on this processor, in a few words.
std::string cpu_bf16();

}  // namespace heddle::cli
