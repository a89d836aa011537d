#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/run.h"
#include "kernels/tuning.h"

namespace heddle::bench {

/// A call that dispatch was asked about, and how often.
struct SeenCall {
    cases::CaseSet* set = nullptr;
    std::uint64_t key = 0;
    std::optional<cases::Dims> dims = {};  ///< nothing where no numbers describe it
    std::int64_t count = 0;
};

/// While it lives, records which operations run on devices of one kind, and with which arguments; each call once.
class CallRecorder {
  public:
    CallRecorder(const std::vector<std::unique_ptr<cases::CaseSet>>& sets, DeviceKind device);
    /// In the order of their first appearance. Operations that cannot be tuned are left out.
    const std::vector<SeenCall>& calls() const { return calls_; }

  private:
    std::map<const KernelTableBase*, cases::CaseSet*> sets_;
    std::map<std::pair<const KernelTableBase*, std::uint64_t>, std::size_t> places_;
    std::vector<SeenCall> calls_;
    ObserveCalls observe_;
};

/// What was found for one call.
struct Finding {
    std::string operation = {}, call = {};
    std::int64_t count = 0;
    std::string note = {};   ///< why there is no choice to make; empty where one was made
    std::string usual = {};  ///< what runs by priority
    std::optional<TunedCall> choice = {};
    CaseResult result = {};
};

/// Measures the implementations that support a call, where there are several. A choice that differs from the
/// priorities' is made only where it is faster by more than the measurement's spread; a wrong implementation is never
/// chosen.
Finding tune(const SeenCall& call, const Options& options);

}  // namespace heddle::bench
