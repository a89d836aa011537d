#pragma once

#include <string>

namespace heddle::detail {

/// Tells the user on stderr what cannot take the fast path and why; each line is printed only once.
void notice(const std::string& line);

}  // namespace heddle::detail
