#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/result.h"
#include "tests/cases/case.h"

namespace heddle::bench {

struct Options {
    Device device = {};
    std::vector<std::string> implementations = {};  ///< "all": `reference`, too; empty: all others
    double warmup_s = 0.05, measure_s = 0.3;        ///< of each contender
    int rounds = 3;                                 ///< the contenders take turns this often
    double sample_beyond = 2e9;                     ///< floating operations (cases::TrialOptions)
    bool warm = false;                              ///< one copy of the operands, which caches may hold
    std::string pytorch = {};                       ///< the script of the outside contender; empty: none
};

/// One case that somebody wants measured.
struct Job {
    cases::CaseSet* set = nullptr;
    std::size_t index = 0;
    std::string name = {};
    cases::Dims dims = {};  ///< complete; empty for a named case
    DType dtype = DType::f32;
};

/// Checks every implementation that supports the case against the reference in f64, times those that are right, and
/// orders them. On a device that keeps no time nothing is timed.
CaseResult run(const Job& job, const Options& options);

/// The supporting implementation that is right and was the fastest; nullptr where there is none.
const Contender* winner(const CaseResult& result);

/// Measures what the machine can do: once a large copy, and a large matrix product for each dtype that is asked for.
class CeilingMeter {
  public:
    explicit CeilingMeter(Device device) : device_(device) {}
    /// Measures what is missing. Both stay 0 on a device that keeps no time.
    void measure(DType dtype);
    const Ceilings& ceilings() const { return ceilings_; }

  private:
    Device device_;
    Ceilings ceilings_;
};

/// The set of an operation; throws `Error` that lists the names.
cases::CaseSet& find_set(const std::vector<std::unique_ptr<cases::CaseSet>>& sets, const std::string& operation);
/// The operations that a name means: itself, or ("conv2d") all that begin with it and "_".
std::vector<cases::CaseSet*> find_sets(const std::vector<std::unique_ptr<cases::CaseSet>>& sets,
                                       const std::string& name);
/// The index of a named case; throws `Error` that says how to list them.
std::size_t find_case(const cases::CaseSet& set, const std::string& name);

/// Every job of a suite; throws `Error` that lists the suites.
std::vector<Job> suite_jobs(const std::vector<std::unique_ptr<cases::CaseSet>>& sets, const std::string& suite,
                            DType dtype);

}  // namespace heddle::bench
