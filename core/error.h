#pragma once

#include <stdexcept>
#include <string>

#include "core/export.h"

namespace heddle {

/// Every error Heddle reports: one line that says what, where, and how to mend it.
class HEDDLE_API Error : public std::runtime_error {
  public:
    explicit Error(const std::string& message) : std::runtime_error(message) {}
    ~Error() override;
};

/// Throws `Error(message)`. Out of line, so that checks stay small.
[[noreturn]] HEDDLE_API void fail(const std::string& message);

}  // namespace heddle
