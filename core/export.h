#pragma once

/// The one export macro: everything else in the shared library is hidden (built with -fvisibility=hidden).
#define HEDDLE_API __attribute__((visibility("default")))
