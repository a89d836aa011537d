#pragma once

#include <string>

#include "core/export.h"

namespace heddle::detail {

/// All that a file holds. Throws `Error` "<path>: cannot be read" where it cannot be opened.
HEDDLE_API std::string read_text_file(const std::string& path);

}  // namespace heddle::detail
