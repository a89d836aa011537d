#pragma once

#include <string>

#include "bench/result.h"

namespace heddle::bench {

/// "1.23 ms", "456 us".
std::string duration(double seconds);
/// A number of `unit` with a prefix: "153 GFLOP/s", "12.3 MB".
std::string quantity(double value, const char* unit);

/// The machine and its ceilings, as the first lines of the output.
std::string describe(const Report& report);
/// One case as a table: its contenders, best first, then those that were not ranked with their reasons.
std::string table(const CaseResult& result, const Ceilings& ceilings);

}  // namespace heddle::bench
