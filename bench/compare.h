#pragma once

#include <string>
#include <vector>

#include "bench/result.h"

namespace heddle::bench {

/// What changed for one implementation on one case between two reports.
struct Change {
    enum class Kind { faster, slower, became_wrong, became_right, appeared, vanished } kind = Kind::faster;
    std::string operation = {}, name = {}, dtype = {}, implementation = {};
    double before = 0, after = 0;  ///< median seconds, of faster and slower
};

/// Only what is beyond noise: medians that differ by more than 5 %, and by more than the larger of both spreads.
std::vector<Change> compare(const Report& before, const Report& after);

/// The changes as text, the largest first, with what the two reports have in common and a warning where they are of
/// different machines.
std::string compare_text(const Report& before, const Report& after);

}  // namespace heddle::bench
