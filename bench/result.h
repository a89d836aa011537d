#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "core/config.h"
#include "core/dtype.h"
#include "tests/cases/dims.h"

namespace heddle::bench {

/// The best that a machine was seen to do; 0 where it was not measured.
struct Ceilings {
    double bytes_per_second = 0;                    ///< of a large copy: bytes read and bytes written
    std::map<DType, double> flops_per_second = {};  ///< of a large matrix product in that type

    double flops(DType dtype) const;
};

/// One implementation on one case.
struct Contender {
    enum class State {
        ranked,       ///< right, and timed where the device can be timed
        wrong,        ///< beyond the tolerance: not timed
        unsupported,  ///< `reason` says why
        failed,       ///< it could not be run; `reason`
        skipped       ///< nobody asked for it
    };
    std::string name = {};
    State state = State::ranked;
    std::string reason = {};
    std::optional<Timing> timing = {};
    bool has_error = false;
    double relative_error = 0;  ///< Frobenius norm of the difference to the reference in f64, over the reference's
    double worst_error = 0;     ///< largest |got - want| / max(|want|, root mean square of the output)
    std::size_t workspace_bytes = 0;
};
const char* to_string(Contender::State state);

/// One case with all its contenders: the ranked ones first, the fastest first.
struct CaseResult {
    std::string operation = {}, name = {};
    cases::Dims dims = {};  ///< empty for a named case
    DType dtype = DType::f32;
    double flops = 0, bytes = 0;  ///< of the operation: what its definition needs, each operand once
    bool sampled = false;         ///< errors are of a sample of the outputs
    bool cold = false;            ///< operands came from memory, not from a cache
    std::vector<Contender> contenders = {};

    /// The shortest time that the ceilings allow (the roofline model of Williams, Waterman and Patterson, 2009), and
    /// whether arithmetic sets it; 0 without ceilings.
    double floor_seconds(const Ceilings& ceilings) const;
    bool compute_bound(const Ceilings& ceilings) const;
};

/// Everything of one call of `heddle bench`.
struct Report {
    std::string version = {}, commit = {};  ///< `commit` is empty where it is not known (bench/commit.h)
    std::string machine = {}, device = {};  ///< `machine_name` (kernels/machine.h)
    int threads = 0;
    Ceilings ceilings = {};
    std::vector<CaseResult> cases = {};

    Config to_config() const;
    /// Throws `Error` naming the key for anything that `to_config` did not write.
    static Report from_config(const Config& config);
    std::string to_csv() const;
    /// Throws `Error` naming the file.
    static Report load(const std::string& path);
};

}  // namespace heddle::bench
