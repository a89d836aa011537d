#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "kernels/table.h"
#include "kernels/view.h"
#include "tests/cases/dims.h"
#include "tests/cases/trial.h"

/// One list of cases per operation serves tests (every implementation against `reference` in f64), benchmarks and the
/// command's `bench` and `tune`.
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
    /// Operands with a shape, a dtype and an aligned address that nothing may use: to ask what an implementation for
    /// devices of this kind supports. Where the machine has such a device they are in its memory: NVIDIA's libraries
    /// look where operands lie.
    explicit Problem(DType dtype, DeviceKind kind = DeviceKind::cpu);
    /// Operands with the values of another problem's, made by the same function.
    Problem(DType dtype, const Problem& origin, Device device);
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

    /// Of a reference problem: of this output only the elements at `indices` (rising) were computed.
    void only(const View& output, std::vector<std::int64_t> indices);

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

/// The cases of one operation, whatever its arguments are.
class CaseSet {
  public:
    virtual ~CaseSet() = default;
    virtual const KernelTableBase& table() const = 0;
    virtual std::size_t size() const = 0;
    virtual const std::string& name(std::size_t index) const = 0;
    virtual bool is_benchmark(std::size_t index) const = 0;
    virtual Outcome check(std::size_t index, const std::string& implementation, Device device, DType dtype) const = 0;
    /// Whether an implementation for devices of this kind takes the case; the machine need not have such a device.
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

    /// The numbers that describe a case of one's own; empty where the operation has named cases only.
    virtual const std::vector<Dim>& dims() const = 0;
    /// Adds a case of these numbers, which `complete` made whole; returns its index. Throws `Error` where they do not
    /// go together.
    virtual std::size_t add(const std::string& name, const Dims& dims) = 0;
    /// The numbers of a call (`args` points to the operation's arguments); nothing where no numbers describe it.
    virtual std::optional<Dims> dims_of(const void* args) const = 0;
    virtual std::uint64_t key(std::size_t index, DType dtype) const = 0;
    /// What dispatch would do with the case; likewise.
    virtual Choice choice(std::size_t index, DeviceKind kind, DType dtype) const = 0;
    virtual std::unique_ptr<Trial> trial(std::size_t index, Device device, DType dtype,
                                         const TrialOptions& options) const = 0;
};

/// Runs what a CaseSet needs of a Problem (the part that does not depend on the arguments).
class Runner {
  public:
    static void upload(Problem& problem);
    /// Waits for the device.
    static void finish(const Problem& problem);
    /// Fills with NaN the memory that the next workspace of so many bytes on the CPU will be: nothing may depend on
    /// what was in it.
    static void spoil_workspace(Device device, std::size_t bytes);
    /// Compares outputs and checks guards and inputs; `want` ran in f64.
    static Outcome compare(Problem& got, Problem& want);
    static double measure(const std::function<void()>& run, double seconds);
    static double flops(const Problem& problem);
    static double bytes(const Problem& problem);
    /// Of all operands together.
    static std::size_t memory(const Problem& problem);
};

/// What an operation's cases can do beyond the list.
template <class Args>
struct Extras {
    std::vector<Dim> dims = {};
    std::function<Case<Args>(const Dims&)> from_dims = {};
    std::function<std::optional<Dims>(const Args&)> to_dims = {};
    /// Computes some outputs of a problem in f64, at its edges and in between, and says which (`Problem::only`). Costs
    /// little however large the problem is.
    std::function<void(Problem&, const Args&)> sample = {};
};

template <class Args>
class TypedCaseSet final : public CaseSet {
  public:
    TypedCaseSet(KernelTable<Args>& table, std::vector<Case<Args>> cases, Extras<Args> extras)
        : table_(table), cases_(std::move(cases)), extras_(std::move(extras)) {}

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
        if (candidate->workspace_bytes) Runner::spoil_workspace(device, candidate->workspace_bytes(got_args));
        run_implementation(*candidate, got_args, device, 0);
        Runner::finish(got);
        return Runner::compare(got, want);
    }

    Support offer(std::size_t index, const std::string& implementation, DeviceKind kind, DType dtype) const override {
        Problem problem(dtype, kind);
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

    const std::vector<Dim>& dims() const override { return extras_.dims; }
    std::size_t add(const std::string& name, const Dims& dims) override {
        cases_.push_back(extras_.from_dims(dims));
        cases_.back().name = name;
        return cases_.size() - 1;
    }
    std::optional<Dims> dims_of(const void* args) const override {
        return extras_.to_dims ? extras_.to_dims(*static_cast<const Args*>(args)) : std::nullopt;
    }
    std::uint64_t key(std::size_t index, DType dtype) const override {
        Problem problem(dtype);
        return table_.key(cases_[index].make(problem));
    }
    Choice choice(std::size_t index, DeviceKind kind, DType dtype) const override {
        Problem problem(dtype, kind);
        return table_.explain(cases_[index].make(problem), {kind});
    }
    std::unique_ptr<Trial> trial(std::size_t index, Device device, DType dtype,
                                 const TrialOptions& options) const override;

  private:
    KernelTable<Args>& table_;
    std::vector<Case<Args>> cases_;
    Extras<Args> extras_;
};

/// A trial of one case: its values are drawn once, for the reference and for every copy.
template <class Args>
class TypedTrial final : public Trial {
  public:
    TypedTrial(const KernelTable<Args>& table, const Case<Args>& item, const Extras<Args>& extras, Device device,
               DType dtype, const TrialOptions& options)
        : table_(table),
          case_(item),
          extras_(extras),
          device_(device),
          dtype_(dtype),
          options_(options),
          origin_(dtype, dtype, Device::cpu()) {
        case_.make(origin_);
        flops = Runner::flops(origin_);
        bytes = Runner::bytes(origin_);
        memory = Runner::memory(origin_);
        sampled = extras_.sample && flops > options.sample_beyond;
    }

    std::vector<Candidate> candidates() const override {
        std::vector<Candidate> result;
        Problem there(dtype_, device_.kind);
        const Args args = case_.make(there);
        for (const auto& implementation : table_.implementations(device_.kind)) {
            const Support support = implementation.supports(args);
            const bool asks = support && implementation.workspace_bytes;
            result.push_back({implementation.name, implementation.priority, static_cast<bool>(support),
                              support.reason(), asks ? implementation.workspace_bytes(args) : 0});
        }
        return result;
    }

    Outcome check(const std::string& implementation) override {
        if (!want_) {
            want_ = std::make_unique<Problem>(DType::f64, origin_, Device::cpu());
            const Args args = case_.make(*want_);
            if (sampled)
                extras_.sample(*want_, args);
            else
                run_implementation(*table_.find("reference", DeviceKind::cpu), args, Device::cpu(), 0);
        }
        Problem got(dtype_, origin_, device_);
        const Args args = case_.make(got);
        Runner::upload(got);
        run_implementation(*table_.find(implementation, device_.kind), args, device_, 0);
        Runner::finish(got);
        return Runner::compare(got, *want_);
    }

    void make_copies() override {
        const std::size_t each = std::max<std::size_t>(memory, 1);
        const std::size_t wanted = options_.cold_bytes / each + 1;
        const std::size_t count = std::min(wanted, options_.most_copies);
        cold = count * each >= options_.cold_bytes;
        for (std::size_t i = 0; i < count; ++i) {
            problems_.push_back(std::make_unique<Problem>(dtype_, origin_, device_));
            copies_.push_back(case_.make(*problems_.back()));
            if (device_.kind != DeviceKind::cpu) Runner::upload(*problems_.back());
        }
    }

    std::size_t copies() const override { return copies_.size(); }

    void run(const std::string& implementation, std::size_t copy, StreamId stream) override {
        run_implementation(*table_.find(implementation, device_.kind), copies_[copy], device_, stream);
    }

  private:
    const KernelTable<Args>& table_;
    const Case<Args> case_;
    const Extras<Args>& extras_;
    Device device_;
    DType dtype_;
    TrialOptions options_;
    Problem origin_;
    std::unique_ptr<Problem> want_;
    std::vector<std::unique_ptr<Problem>> problems_;
    std::vector<Args> copies_;
};

template <class Args>
std::unique_ptr<Trial> TypedCaseSet<Args>::trial(std::size_t index, Device device, DType dtype,
                                                 const TrialOptions& options) const {
    return std::make_unique<TypedTrial<Args>>(table_, cases_[index], extras_, device, dtype, options);
}

template <class Args>
std::unique_ptr<CaseSet> make_case_set(KernelTable<Args>& table, std::vector<Case<Args>> cases,
                                       Extras<Args> extras = {}) {
    return std::make_unique<TypedCaseSet<Args>>(table, std::move(cases), std::move(extras));
}

/// Every operation's cases: the explicit list in cases.cpp.
std::vector<std::unique_ptr<CaseSet>> all_cases();

}  // namespace heddle::cases
