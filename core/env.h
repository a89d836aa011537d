#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/export.h"

namespace heddle {

/// One `HEDDLE_*` environment variable; `docs/environment.md` is generated from this table.
struct EnvVariable {
    const char* name;
    const char* meaning;
    const char* fallback;
};

HEDDLE_API std::span<const EnvVariable> env_variables();

/// The value of a variable of the table (nothing where unset or empty). Asking for one that is not in the table throws.
HEDDLE_API std::optional<std::string> env(const char* name);
/// The same as an integer or as bytes ("512M", "2G"); throws `Error` that names the variable for anything else.
HEDDLE_API std::optional<std::int64_t> env_integer(const char* name);
HEDDLE_API std::optional<std::uint64_t> env_bytes(const char* name);

}  // namespace heddle
