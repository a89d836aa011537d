#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>

#include "bench/commit.h"
#include "bench/compare.h"
#include "bench/plot.h"
#include "bench/run.h"
#include "bench/text.h"
#include "cli/bench_arguments.h"
#include "cli/command.h"
#include "cli/output.h"
#include "core/atomic_file.h"
#include "core/check.h"
#include "core/parallel.h"
#include "core/version.h"
#include "kernels/machine.h"
#include "kernels/tuning.h"

// heddle bench: what to measure, in which order, and where the results go.
namespace heddle::cli {
namespace {

using CaseSets = std::vector<std::unique_ptr<cases::CaseSet>>;

/// The numbers that the options give to an operation.
cases::Dims dims_of(const BenchArguments& a, const cases::CaseSet& set) {
    const char* operation = set.table().operation();
    check(!set.dims().empty(), "{}: its cases have no numbers; --case takes one by name (heddle bench {} --list)",
          operation, operation);
    cases::Dims given;
    cases::set_shape(given, operation, set.dims(), a.shape);
    for (const auto& [name, value] : a.numbers)
        if (value) given.set(name, *value);
    if (!a.set.empty()) cases::set_named(given, operation, set.dims(), a.set);
    return cases::complete(operation, set.dims(), given);
}

/// The jobs of one operation: a shape of one's own, named cases, or all of its realistic ones.
void add_jobs(const BenchArguments& a, cases::CaseSet& set, DType dtype, std::vector<bench::Job>& jobs) {
    if (!a.shape.empty()) {
        const cases::Dims dims = dims_of(a, set);
        const std::string name = cases::describe(set.dims(), dims);
        jobs.push_back({.set = &set, .index = set.add(name, dims), .name = name, .dims = dims, .dtype = dtype});
        return;
    }
    for (const std::string& name : a.cases)
        jobs.push_back({.set = &set, .index = bench::find_case(set, name), .name = name, .dtype = dtype});
    if (!a.cases.empty()) return;
    for (std::size_t i = 0; i < set.size(); ++i)
        if (set.is_benchmark(i)) jobs.push_back({.set = &set, .index = i, .name = set.name(i), .dtype = dtype});
}

std::vector<bench::Job> jobs_of(const BenchArguments& a, const CaseSets& sets) {
    const DType dtype = parse_dtype(a.dtype);
    if (!a.suite.empty()) return bench::suite_jobs(sets, a.suite, dtype);
    std::vector<bench::Job> jobs;
    for (cases::CaseSet* set : bench::find_sets(sets, a.operation)) add_jobs(a, *set, dtype, jobs);
    return jobs;
}

/// A misspelt name would measure nothing.
void check_implementations(const BenchArguments& a, const std::vector<bench::Job>& jobs, DeviceKind device) {
    for (const std::string& name : a.implementations) {
        if (name == "all") continue;
        std::vector<std::string> known;
        for (const bench::Job& job : jobs)
            for (const auto& entry : job.set->table().entries())
                if (entry.device == device && std::find(known.begin(), known.end(), entry.name) == known.end())
                    known.push_back(entry.name);
        check(std::find(known.begin(), known.end(), name) != known.end(),
              "--impl: no operation here has an implementation \"{}\" on {}; there are {}", name, to_string(device),
              fmt::join(known, ", "));
    }
}

int explain(const std::vector<bench::Job>& jobs, Device device) {
    for (const bench::Job& job : jobs) {
        const cases::CaseSet& set = *job.set;
        const Choice choice = set.choice(job.index, device.kind, job.dtype);
        const char* rule = choice.rule == Choice::Rule::forced  ? "forced"
                           : choice.rule == Choice::Rule::tuned ? "by the tuning file"
                                                                : "by priority";
        std::string text = fmt::format("{} {}, {} on {}: ", set.table().operation(), job.name, to_string(job.dtype),
                                       device.to_string());
        text += choice.name.empty() ? fmt::format("an error: {}\n", choice.error)
                                    : fmt::format("{} would run, {}\n", choice.name, rule);
        for (const auto& entry : set.table().entries()) {
            if (entry.device != device.kind) continue;
            const Support support = set.offer(job.index, entry.name, device.kind, job.dtype);
            const bool chosen = entry.name == choice.name;
            text += fmt::format("  {} {:<20} priority {:>3}  {}{}\n", chosen ? "*" : " ", entry.name, entry.priority,
                                support ? "supports it" : "does not support it: " + support.reason(),
                                chosen && choice.rule != Choice::Rule::priority ? fmt::format(" ({})", rule) : "");
        }
        print(text);
    }
    const std::string file = Tuning::default_path();
    std::error_code none;
    print(file.empty() || !std::filesystem::exists(file, none) ? "no tuning file\n"
                                                               : fmt::format("tuning file: {}\n", file));
    return 0;
}

int compare(const BenchArguments& a) {
    const bench::Report before = bench::Report::load(a.compare.at(0)), after = bench::Report::load(a.compare.at(1));
    print(bench::compare_text(before, after));
    return 0;
}

int measure(const BenchArguments& a, const std::vector<bench::Job>& jobs, const Device device) {
    const bench::Options options{.device = device,
                                 .implementations = a.implementations,
                                 .warmup_s = a.warmup,
                                 .measure_s = a.time,
                                 .sample_beyond = a.whole ? std::numeric_limits<double>::infinity() : 2e9,
                                 .warm = a.warm,
                                 .pytorch = a.pytorch};
    bench::Report report{.version = version(),
                         .commit = bench::commit(),
                         .machine = machine_name(device),
                         .device = device.to_string(),
                         .threads = thread_count()};
    bench::CeilingMeter meter(device);
    if (!a.without_ceilings) meter.measure(parse_dtype(a.dtype));
    report.ceilings = meter.ceilings();
    print(bench::describe(report));
    if (!bench::Sampler::can_measure(device))
        print("this device has no time of its own: errors are shown, speed is not\n");
    print("\n");
    bool wrong = false;
    for (const bench::Job& job : jobs) {
        report.cases.push_back(bench::run(job, options));
        print(bench::table(report.cases.back(), report.ceilings));
        for (const bench::Contender& c : report.cases.back().contenders)
            wrong = wrong || c.state == bench::Contender::State::wrong || c.state == bench::Contender::State::failed;
    }
    if (!a.json.empty()) write_file_atomically(a.json, report.to_config().to_json(1) + "\n");
    if (!a.csv.empty()) write_file_atomically(a.csv, report.to_csv());
    if (!a.plot.empty()) write_file_atomically(a.plot, bench::plot(report));
    check(!wrong, "an implementation is wrong, or failed: see above");
    return 0;
}

}  // namespace

int bench_command(const BenchArguments& a) {
    if (!a.compare.empty()) return compare(a);
    const CaseSets sets = cases::all_cases();
    if (a.list) return list_cases(a.operation);
    if (a.operation.empty() == a.suite.empty())
        throw UsageError("bench: expected an OPERATION or --suite NAME (heddle bench --list)");
    if (a.shape.empty() && (!a.set.empty() || std::any_of(a.numbers.begin(), a.numbers.end(),
                                                          [](const auto& number) { return number.second; })))
        throw UsageError("bench: --stride, --pad, --dilation, --groups and --set go with --shape");
    if (!a.suite.empty() && (!a.shape.empty() || !a.cases.empty()))
        throw UsageError("bench: --suite brings its own cases: it goes with neither --shape nor --case");
    const Device device = Device::parse(a.device);
    driver(device);  // says what is missing
    if (a.threads > 0) set_thread_count(a.threads);
    check(a.pytorch.empty() || std::filesystem::exists(a.pytorch), "--pytorch: there is no script {}", a.pytorch);
    const std::vector<bench::Job> jobs = jobs_of(a, sets);
    check(!jobs.empty(), "{}: it has no realistic cases; take one by --case", a.operation);
    check_implementations(a, jobs, device.kind);
    for (const std::string& file : {a.json, a.csv, a.plot}) check_folder_of(file);
    return a.explain ? explain(jobs, device) : measure(a, jobs, device);
}

}  // namespace heddle::cli
