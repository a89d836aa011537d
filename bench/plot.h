#pragma once

#include <string>

#include "bench/result.h"

namespace heddle::bench {

/// A report as one SVG picture: the roofline (FLOP/s over FLOP a byte, with the measured ceilings) where a case
/// counts operations, and for each case a bar per implementation: the share that it reaches of the shortest possible
/// time. Throws `Error` where nothing was timed.
std::string plot(const Report& report);

}  // namespace heddle::bench
