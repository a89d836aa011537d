#pragma once

#include <string>

namespace heddle::detail {

/// Tells the user, on stderr, what does not go the fast way and why; a line that was said already is not said again.
void notice(const std::string& line);

}  // namespace heddle::detail
