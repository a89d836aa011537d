#pragma once

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

/// What the support table (docs/support.md) is made from: tests write down what they have shown, at the place where
/// they have shown it.
namespace heddle {

/// Appends one JSON line to the file that HEDDLE_EVIDENCE names; does nothing without it. Call it after the checks of a
/// test have passed. `operation` is the name of a kernel table. Kinds:
/// - "implementation": a table lists `implementation`;
/// - "case": `implementation` passed `detail`, a case of tests/cases (not one of the benchmark sizes);
/// - "plan": `implementation`'s library has a plan for `detail`, a case of tests/cases, and a GPU that is only
/// described;
/// - "benchmark": `detail` is a case that benchmarks time;
/// - "finite_differences": the gradients that `operation` takes part in agree with finite differences in f64;
/// - "pytorch": `operation` agrees with vectors that PyTorch made.
inline void record_evidence(const std::string& operation, const std::string& kind,
                            const std::string& implementation = "", const std::string& detail = "") {
    const char* path = std::getenv("HEDDLE_EVIDENCE");
    if (!path) return;
    const nlohmann::json line = {
        {"operation", operation}, {"kind", kind}, {"implementation", implementation}, {"detail", detail}};
    // One write per line, appended: test programs that run at the same time do not mix their lines.
    std::ofstream(path, std::ios::app) << line.dump() + "\n" << std::flush;
}

}  // namespace heddle
