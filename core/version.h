#pragma once

#include "core/export.h"

namespace heddle {

/// "0.1.0": of the library that was loaded, which may differ from the headers' that a program was compiled with.
HEDDLE_API const char* version();

}  // namespace heddle
