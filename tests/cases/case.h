#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "kernels/table.h"
#include "kernels/view.h"

/// One list of cases per operation serves tests (every implementation against `reference` in f64) and benchmarks.
namespace heddle::cases {

/// What an input is filled with. All values are first rounded to the dtype under test, so that the reference sees the
/// same.
enum class Fill {
    normal,    ///< mean 0, deviation 1
    uniform,   ///< [0, 1)
    positive,  ///< [0.5, 2)
    large,     ///< normal * 1e18
    tiny,      ///< normal * 1e-18
    denormal,  ///< below the smallest normal number
    outliers,  ///< normal, one in 97 a thousand times larger
    zeros,
    ones,
    infinities  ///< normal, one in 13 +inf or -inf
};

/// Builds the operands of one case: twice per check, once in f64 for the reference, once for the implementation. The
/// make function of a case must ask for operands in the same order each time.
class Problem {
  public:
    /// `dtype`: what floating operands are stored as; `rounded_to`: what their values are rounded to first.
    Problem(DType dtype, DType rounded_to, Device device);
    /// Operands with a shape, a dtype and an aligned address that nothing may use: to ask what an implementation
    /// supports.
    explicit Problem(DType dtype);
    ~Problem();
    Problem(const Problem&) = delete;
    Problem& operator=(const Problem&) = delete;

    DType dtype() const;
    /// What statistics, losses and parameters that stay wide are stored as: f32 where `dtype` has 16 bits, else
    /// `dtype`.
    DType wide() const;

    /// A floating input; the check fails if the implementation writes to it.
    View input(const Shape& shape, Fill fill = Fill::normal);
    View input(const Shape& shape, Fill fill, DType dtype);
    /// An input with these values, of the floating dtype or of `dtype`.
    View values(const Shape& shape, const std::vector<double>& values);
    View values(const Shape& shape, const std::vector<double>& values, DType dtype);
    /// Random integers, low <= value < high.
    View integers(const Shape& shape, std::int64_t low, std::int64_t high, DType dtype = DType::i32);
    /// An output: filled with a pattern first, guarded on both sides, compared with the reference.
    View output(const Shape& shape);
    View output(const Shape& shape, DType dtype);
    /// Stored as `wide()`, but made of values that were rounded to `dtype()` on the way: compared as one of those.
    View wide_output(const Shape& shape);
    /// Both: starts with values, is compared afterwards.
    View inout(const Shape& shape, Fill fill = Fill::normal);
    View inout(const Shape& shape, Fill fill, DType dtype);
    /// Scratch that is neither checked nor compared.
    View scratch(const Shape& shape, DType dtype);

    /// The length of the longest sum behind an output element (default 1): the tolerance is
    /// eps(dtype) * (4 + 2 sqrt(length)) * multiplier relative to max(|want|, rms of the output), and somewhat more for
    /// outputs of many elements.
    void reduction(std::int64_t length);
    /// States why an operation is less exact than its sums (a fast exponential, Winograd); 1 by default.
    void tolerance(double multiplier);
    /// For benchmarks: floating operations, and bytes that must move (default: all inputs and outputs once).
    void flops(double count);
    void bytes(double count);

  private:
    friend class Runner;
    struct State;
    std::unique_ptr<State> state_;
};

template <class Args>
struct Case {
    std::string name;
    std::function<Args(Problem&)> make;
    bool benchmark = false;  ///< a realistic size: timed by benchmarks; still checked by tests of the full tier
};

/// Outcome of one implementation on one case.
struct Outcome {
    enum class Status { passed, failed, unsupported } status = Status::passed;
    std::string message = {};   ///< of a failure or the reason of `unsupported`
    double relative_error = 0;  ///< Frobenius norm of the difference over that of the reference
    double worst_error = 0;     ///< largest |got - want| / max(|want|, rms)
};

/// The cases of one operation, whatever its arguments are.
class CaseSet {
  public:
    virtual ~CaseSet() = default;
    virtual const KernelTableBase& table() const = 0;
    virtual std::size_t size() const = 0;
    virtual const std::string& name(std::size_t index) const = 0;
    virtual bool is_benchmark(std::size_t index) const = 0;
    virtual Outcome check(std::size_t index, const std::string& implementation, Device device, DType dtype) const = 0;
    /// Whether an implementation for devices of this kind takes the case, asked without such a device.
    virtual Support offer(std::size_t index, const std::string& implementation, DeviceKind kind, DType dtype) const = 0;
    /// Median seconds of one run, and what `Problem` was told about flops and bytes.
    struct Timing {
        bool supported = false;
        std::string reason = {};
        double seconds = 0, flops = 0, bytes = 0;
    };
    /// A case made ready to run many times: `run` holds its operands; empty where `supports` says no.
    struct Prepared {
        std::string reason = {};
        std::function<void()> run = {};
        double flops = 0, bytes = 0;
    };
    virtual Prepared prepare(std::size_t index, const std::string& implementation, Device device,
                             DType dtype) const = 0;
    virtual Timing time(std::size_t index, const std::string& implementation, Device device, DType dtype,
                        double seconds) const = 0;
};

/// Runs what a CaseSet needs of a Problem (the part that does not depend on the arguments).
class Runner {
  public:
    static void upload(Problem& problem);
    /// Waits for the device.
    static void finish(const Problem& problem);
    /// Compares outputs and checks guards and inputs; `want` ran in f64.
    static Outcome compare(Problem& got, Problem& want);
    static double measure(const std::function<void()>& run, double seconds);
    static double flops(const Problem& problem);
    static double bytes(const Problem& problem);
};

template <class Args>
class TypedCaseSet final : public CaseSet {
  public:
    TypedCaseSet(KernelTable<Args>& table, std::vector<Case<Args>> cases) : table_(table), cases_(std::move(cases)) {}

    const KernelTableBase& table() const override { return table_; }
    std::size_t size() const override { return cases_.size(); }
    const std::string& name(std::size_t index) const override { return cases_[index].name; }
    bool is_benchmark(std::size_t index) const override { return cases_[index].benchmark; }

    Outcome check(std::size_t index, const std::string& implementation, Device device, DType dtype) const override {
        const auto* candidate = table_.find(implementation, device.kind);
        const auto* reference = table_.find("reference", DeviceKind::cpu);
        Problem got(dtype, dtype, device), want(DType::f64, dtype, Device::cpu());
        const Args got_args = cases_[index].make(got), want_args = cases_[index].make(want);
        if (const Support support = candidate->supports(got_args); !support)
            return {Outcome::Status::unsupported, support.reason()};
        Runner::upload(got);
        run_implementation(*reference, want_args, Device::cpu(), 0);
        run_implementation(*candidate, got_args, device, 0);
        Runner::finish(got);
        return Runner::compare(got, want);
    }

    Support offer(std::size_t index, const std::string& implementation, DeviceKind kind, DType dtype) const override {
        Problem problem(dtype);
        return table_.find(implementation, kind)->supports(cases_[index].make(problem));
    }

    Prepared prepare(std::size_t index, const std::string& implementation, Device device, DType dtype) const override {
        const auto* candidate = table_.find(implementation, device.kind);
        const auto problem = std::make_shared<Problem>(dtype, dtype, device);
        const Args args = cases_[index].make(*problem);
        if (const Support support = candidate->supports(args); !support) return {support.reason()};
        Runner::upload(*problem);
        return {"",
                [candidate, problem, args, device] {
                    run_implementation(*candidate, args, device, 0);
                    Runner::finish(*problem);
                },
                Runner::flops(*problem), Runner::bytes(*problem)};
    }

    Timing time(std::size_t index, const std::string& implementation, Device device, DType dtype,
                double seconds) const override {
        const Prepared prepared = prepare(index, implementation, device, dtype);
        if (!prepared.run) return {false, prepared.reason};
        return {true, "", Runner::measure(prepared.run, seconds), prepared.flops, prepared.bytes};
    }

  private:
    KernelTable<Args>& table_;
    std::vector<Case<Args>> cases_;
};

template <class Args>
std::unique_ptr<CaseSet> make_case_set(KernelTable<Args>& table, std::vector<Case<Args>> cases) {
    return std::make_unique<TypedCaseSet<Args>>(table, std::move(cases));
}

/// Every operation's cases: the explicit list in cases.cpp.
std::vector<std::unique_ptr<CaseSet>> all_cases();

}  // namespace heddle::cases
