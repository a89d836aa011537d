#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/table.h"

namespace heddle::cases {

/// Outcome of one implementation on one case.
struct Outcome {
    enum class Status { passed, failed, unsupported } status = Status::passed;
    std::string message = {};   ///< of a failure or the reason of `unsupported`
    double relative_error = 0;  ///< Frobenius norm of the difference over that of the reference
    double worst_error = 0;     ///< largest |got - want| / max(|want|, rms)
};

struct TrialOptions {
    double sample_beyond = 2e9;      ///< floating operations above which a sample of the outputs is compared
    std::size_t cold_bytes = 0;      ///< the copies together are larger than this
    std::size_t most_copies = 1024;  ///< however small they are
};

/// One case on one device: what can run it, with what error, and copies of its operands to be timed on.
class Trial {
  public:
    struct Candidate {
        std::string name = {};
        int priority = 0;
        bool supported = false;
        std::string reason = {};  ///< where it is not
        std::size_t workspace_bytes = 0;
    };

    virtual ~Trial() = default;
    /// The implementations on the device, the preferred one first.
    virtual std::vector<Candidate> candidates() const = 0;
    /// A run of a supporting implementation against the reference in f64, which is computed at the first call.
    virtual Outcome check(const std::string& implementation) = 0;
    /// Fills copies of the operands; `run` works on one of them.
    virtual void make_copies() = 0;
    virtual std::size_t copies() const = 0;
    virtual void run(const std::string& implementation, std::size_t copy, StreamId stream) = 0;

    double flops = 0, bytes = 0;
    std::size_t memory = 0;  ///< of the operands
    bool sampled = false;    ///< `check` compares a sample of the outputs
    bool cold = false;       ///< the copies do not fit the cache together
};

}  // namespace heddle::cases
