#pragma once

#include <cmath>
#include <limits>
#include <vector>

namespace heddle::cases {

inline constexpr double infinity = std::numeric_limits<double>::infinity();
/// Where functions of one or two numbers go wrong first.
inline const std::vector<double> specials = {
    0,   -0.0, 1,    -1,    infinity, -infinity, std::nan(""), 0.5, -0.5, 2,   -2,   1e30, -1e30, 88,
    -88, 100,  -100, 1e-30, -1e-30,   3e38,      -3e38,        10,  -10,  1.5, -2.5, 7.25, -7.25};

}  // namespace heddle::cases
