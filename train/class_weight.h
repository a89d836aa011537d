#pragma once

#include <cstdint>
#include <map>

namespace heddle {

/// What the examples of each class count for in training: a number of at least 0 for every class, `{{0, 1.0},
/// {1, 5.0}}`.
using ClassWeight = std::map<std::int64_t, double>;

}  // namespace heddle
