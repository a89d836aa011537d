#include <filesystem>
#include <memory>

#include "bench/run.h"
#include "bench/suites.h"
#include "cli/bench_arguments.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "core/check.h"

namespace heddle::cli {
namespace {

/// Where an installed command finds the script of the contender `pytorch`.
std::string installed_script() {
    std::error_code error;
    const std::filesystem::path command = std::filesystem::read_symlink("/proc/self/exe", error);
    return (command.parent_path().parent_path() / "share/heddle/pytorch_operators.py").string();
}

void add_case(CLI::App& command, BenchArguments& a) {
    const char* group = "What is measured";
    command
        .add_option("OPERATION", a.operation,
                    "An operation (--list), or the common beginning of several: conv2d. Alone: its realistic cases")
        ->type_name("");
    command
        .add_option("--shape", a.shape, "The numbers that describe a case (--list), for a convolution N,H,W,C,K,R,S")
        ->type_name("N,N,...")
        ->group(group);
    for (auto& [name, value] : a.numbers)
        command.add_option("--" + name, value, fmt::format("The number \"{}\" of the case", name))
            ->type_name("N")
            ->check(whole_in(0, 1 << 20))
            ->group(group);
    command.add_option("--set", a.set, "Other numbers of the case (--list)")->type_name("NAME=N,...")->group(group);
    command.add_option("--case", a.cases, "A case by its name; may be given several times")
        ->type_name("NAME")
        ->allow_extra_args(false)
        ->group(group);
    command.add_option("--suite", a.suite, "The kernels of a model or a field (--list)")
        ->type_name("NAME")
        ->group(group);
    command.add_option("--dtype", a.dtype, "The type of the operands [f32]")
        ->type_name("f32|f16|bf16")
        ->check(one_of({"f32", "f16", "bf16"}))
        ->group(group);
    command
        .add_option("--impl", a.implementations,
                    "Implementations, separated by commas; all: reference, too [all but reference]")
        ->type_name("NAME,...")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->group(group);
}

void add_how(CLI::App& command, BenchArguments& a) {
    const char* group = "How it is measured";
    command.add_option("--device", a.device, "Where to compute; sim shows errors, but no speed [cpu]")
        ->type_name("cpu|cuda[:N]|sim")
        ->check(device_name())
        ->group(group);
    command.add_option("--threads", a.threads, "CPU threads [HEDDLE_THREADS, or one per core]")
        ->type_name("N")
        ->check(whole_in(1, 1024))
        ->group(group);
    command.add_option("--time", a.time, "Seconds for each implementation of each case [0.3]")
        ->type_name("S")
        ->check(number_in(0, false, 3600, "seconds above 0"))
        ->group(group);
    command.add_option("--warmup", a.warmup, "Seconds of warm-up before that [0.05]")
        ->type_name("S")
        ->check(number_in(0, true, 3600, "seconds"))
        ->group(group);
    command
        .add_flag("--warm", a.warm,
                  "Use one copy of the operands, which may stay cached [copies larger than the cache]")
        ->group(group);
    command
        .add_flag("--whole", a.whole, "Compare all outputs, of large cases too, with the reference: may take minutes")
        ->group(group);
    command
        .add_flag("--no-ceilings", a.without_ceilings,
                  "Do not measure a large copy and a large product as the machine's limits")
        ->group(group);
    command
        .add_option("--pytorch", a.pytorch,
                    "Add a contender \"pytorch\" on the CPU, run by SCRIPT or the one that is installed with Heddle")
        ->type_name("[SCRIPT]")
        ->expected(0, 1)
        ->group(group);
}

void add_results(CLI::App& command, BenchArguments& a) {
    const char* group = "Results";
    command.add_option("--json", a.json, "Write them as JSON")->type_name("FILE")->group(group);
    command.add_option("--csv", a.csv, "Write them as a table")->type_name("FILE")->group(group);
    command.add_option("--plot", a.plot, "Draw them: roofline and bars, SVG")->type_name("FILE")->group(group);
    command.add_option("--compare", a.compare, "Show what changed beyond noise between two --json files")
        ->type_name("A B")
        ->expected(2)
        ->group(group);
    command.add_flag("--list", a.list, "Show operations, their numbers and suites; for an OPERATION, its cases")
        ->group(group);
    command.add_flag("--explain", a.explain, "Show which implementation would run, and why; measures nothing")
        ->group(group);
}

}  // namespace

int list_cases(const std::string& operation) {
    const auto sets = cases::all_cases();
    std::string text;
    if (!operation.empty()) {
        for (const cases::CaseSet* set : bench::find_sets(sets, operation)) {
            text += fmt::format("{}\n", set->table().operation());
            for (const cases::Dim& dim : set->dims())
                text += fmt::format("    {}{}\n", dim.name,
                                    dim.required() ? ""
                                    : dim.fallback ? fmt::format(" [{}]", *dim.fallback)
                                                   : fmt::format(" [as {}]", dim.same_as));
            for (std::size_t i = 0; i < set->size(); ++i)
                text += fmt::format("  {}{}\n", set->name(i), set->is_benchmark(i) ? "  (realistic)" : "");
        }
        print(text);
        return 0;
    }
    text += "operations, and what --shape gives\n";
    for (const auto& set : sets) {
        std::string names;
        for (const cases::Dim& dim : set->dims())
            if (dim.required()) names += (names.empty() ? "" : ",") + dim.name;
        text += fmt::format("  {:<26}{}\n", set->table().operation(), names.empty() ? "named cases only" : names);
    }
    text += "\nsuites\n";
    for (const bench::Suite& suite : bench::suites())
        text += fmt::format("  {:<26}{} ({} cases)\n", suite.name, suite.description, suite.cases.size());
    print(text);
    return 0;
}

void add_bench(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("bench", "Speed and error of an operation's implementations, side by side");
    auto a = std::make_shared<BenchArguments>();
    add_case(*command, *a);
    add_how(*command, *a);
    add_results(*command, *a);
    command->callback([a, command, &action] {
        const auto* script = command->get_option("--pytorch");
        if (script->count() > 0 && a->pytorch.empty()) a->pytorch = installed_script();
        action = [a] { return bench_command(*a); };
    });
}

}  // namespace heddle::cli
