#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "core/check.h"
#include "core/parallel.h"
#include "tests/cases/case.h"

// heddle check: every case of an operation by one implementation, compared with the reference in f64.
namespace heddle::cli {
namespace {

using cases::CaseSet;
using cases::Outcome;

struct CheckArguments {
    std::string operation = {}, implementation = {}, device = "cpu", dtype = "all", only = {};
    bool benchmarks = false, json = false;
};

const CaseSet& cases_of(const std::string& operation) {
    static const auto& all = *new std::vector<std::unique_ptr<CaseSet>>(cases::all_cases());
    std::vector<std::string> names;
    for (const auto& set : all) {
        names.emplace_back(set->table().operation());
        if (names.back() == operation) return *set;
    }
    fail(fmt::format("unknown operation \"{}\": expected {}", operation, fmt::join(names, ", ")));
}

void check_known(const KernelTableBase& table, const std::string& implementation, DeviceKind device) {
    std::vector<std::string> names;
    for (const auto& entry : table.entries()) {
        if (entry.device != device) continue;
        if (entry.name == implementation) return;
        names.push_back(entry.name);
    }
    fail(fmt::format("{} has no implementation \"{}\" on {}: it has {} (those of plug-ins need HEDDLE_PLUGINS)",
                     table.operation(), implementation, to_string(device), fmt::join(names, ", ")));
}

const char* to_string(Outcome::Status status) {
    switch (status) {
        case Outcome::Status::passed:
            return "passed";
        case Outcome::Status::failed:
            return "failed";
        default:
            return "unsupported";
    }
}

/// The outcomes of the cases in one dtype.
struct Count {
    int passed = 0, failed = 0, unsupported = 0;
    double worst_error = 0;
    std::string why_unsupported = {};  ///< of the first such case

    void add(const Outcome& outcome) {
        ++(outcome.status == Outcome::Status::passed   ? passed
           : outcome.status == Outcome::Status::failed ? failed
                                                       : unsupported);
        worst_error = std::max(worst_error, outcome.worst_error);
        if (outcome.status == Outcome::Status::unsupported && why_unsupported.empty())
            why_unsupported = outcome.message;
    }
    Config to_config(DType dtype) const {
        return Config()
            .set("event", "end")
            .set("dtype", std::string(heddle::to_string(dtype)))
            .set("passed", passed)
            .set("failed", failed)
            .set("unsupported", unsupported)
            .set("worst_error", worst_error);
    }
    std::string to_string() const {
        if (passed + failed == 0) return fmt::format("not supported: {}", why_unsupported);
        std::string text = fmt::format("{} cases passed, {} failed", passed, failed);
        if (unsupported > 0) text += fmt::format(", {} not supported ({}, ...)", unsupported, why_unsupported);
        return text + fmt::format("; worst error {:.1e}", worst_error);
    }
};

/// An exception of a kernel fails its case and does not stop the others.
Outcome run_case(const CaseSet& set, std::size_t index, const CheckArguments& a, Device device, DType dtype) {
    try {
        const FlushDenormals flush;  // as threads that compute do
        return set.check(index, a.implementation, device, dtype);
    } catch (const std::exception& error) {
        return {Outcome::Status::failed, error.what()};
    }
}

Count run_cases(const CaseSet& set, const CheckArguments& a, Device device, DType dtype) {
    Count count;
    for (std::size_t i = 0; i < set.size(); ++i) {
        if (!a.only.empty() ? set.name(i) != a.only : set.is_benchmark(i) && !a.benchmarks) continue;
        const Outcome outcome = run_case(set, i, a, device, dtype);
        count.add(outcome);
        if (a.json) {
            Config record;
            record.set("event", "case")
                .set("case", set.name(i))
                .set("dtype", std::string(to_string(dtype)))
                .set("status", to_string(outcome.status));
            if (outcome.status != Outcome::Status::passed) record.set("message", outcome.message);
            if (outcome.status != Outcome::Status::unsupported)
                set_finite(record, {{"relative_error", outcome.relative_error}, {"worst_error", outcome.worst_error}});
            print_json(record);
        } else if (outcome.status == Outcome::Status::failed) {
            print(fmt::format("{} {}: failed: {}\n", set.name(i), to_string(dtype), outcome.message));
        }
    }
    return count;
}

int check_implementation(const CheckArguments& a) {
    const Device device = Device::parse(a.device);
    driver(device);  // its implementations are known from here on; or the error that says why there is none
    const CaseSet& set = cases_of(a.operation);
    check_known(set.table(), a.implementation, device.kind);
    if (!a.only.empty()) {
        bool known = false;
        for (std::size_t i = 0; i < set.size(); ++i) known = known || set.name(i) == a.only;
        check(known, "{} has no case \"{}\"", a.operation, a.only);
    }
    int passed = 0, failed = 0;
    std::string why_unsupported;
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
        if (a.dtype != "all" && a.dtype != to_string(dtype)) continue;
        const Count count = run_cases(set, a, device, dtype);
        passed += count.passed;
        failed += count.failed;
        if (why_unsupported.empty()) why_unsupported = count.why_unsupported;
        if (a.json)
            print_json(count.to_config(dtype));
        else
            print(fmt::format("{} {} on {}, {}: {}\n", a.operation, a.implementation, device, to_string(dtype),
                              count.to_string()));
    }
    const std::string what = fmt::format("{} {} on {}", a.operation, a.implementation, device);
    check(failed == 0, "{}: {} of {} cases failed", what, failed, passed + failed);
    check(passed > 0, "{}: no case is supported: {}", what, why_unsupported);
    return 0;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
    auto* command =
        app.add_subcommand("check", "Compare one implementation of an operation with the reference on all its cases");
    auto a = std::make_shared<CheckArguments>();
    command->add_option("OPERATION", a->operation, "As heddle info lists them")->type_name("")->required();
    command->add_option("--impl", a->implementation, "The implementation, which may be a plug-in's (HEDDLE_PLUGINS)")
        ->type_name("NAME")
        ->required();
    command->add_option("--device", a->device, "Where it runs [cpu]")
        ->type_name("cpu|cuda[:N]|sim")
        ->check(device_name());
    command->add_option("--dtype", a->dtype, "The type of the operands [all that it supports]")
        ->type_name("f32|f16|bf16|all")
        ->check(one_of({"f32", "f16", "bf16", "all"}));
    command->add_option("--case", a->only, "Only this case")->type_name("NAME");
    command->add_flag("--benchmarks", a->benchmarks,
                      "Also the cases of realistic size, whose reference takes seconds each");
    command->add_flag("--json", a->json, "One JSON object per case, and one per dtype");
    command->callback([a, &action] { action = [a] { return check_implementation(*a); }; });
}

}  // namespace heddle::cli
