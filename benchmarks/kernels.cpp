#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/parallel.h"
#include "tests/cases/case.h"

// Every benchmark case of tests/cases for every implementation: `operation/implementation/case` on the CPU,
// `operation/implementation/cuda/bf16/case` on a GPU (where a run includes the launch and the wait), with GFLOP/s, GB/s
// and `error`, the Frobenius norm of the difference to the reference in f64 over that of the reference. A case is
// verified before it is timed, and has no `error` otherwise. Options of ours, beside Google Benchmark's:
//   --with_reference      times the naive reference implementations too
//   --verify_up_to=FLOPS  verifies cases of up to so many floating-point operations [2e9]; inf: all; -1: none
namespace {

using namespace heddle;
using namespace heddle::cases;

// The naive reference does about 0.5 GFLOP/s in f64: beyond this many it would take more than a few seconds.
constexpr double usually_verified = 2e9;

void run(benchmark::State& state, const CaseSet& set, std::size_t index, const std::string& implementation,
         Device device, DType dtype, double verify_up_to) {
    const FlushDenormals flush;
    CaseSet::Prepared prepared = set.prepare(index, implementation, device, dtype);
    if (!prepared.run) {
        state.SkipWithError(("not supported: " + prepared.reason).c_str());
        return;
    }
    if (prepared.flops <= verify_up_to) {
        // Google Benchmark calls this function several times while it looks for the number of iterations.
        static std::map<std::string, Outcome> verified;
        const std::string key = fmt::format("{}/{}/{}/{}/{}", set.table().operation(), implementation,
                                            to_string(device.kind), to_string(dtype), set.name(index));
        if (!verified.contains(key)) verified[key] = set.check(index, implementation, device, dtype);
        if (verified[key].status == Outcome::Status::failed) {
            state.SkipWithError(("wrong result: " + verified[key].message).c_str());
            return;
        }
        state.counters["error"] = verified[key].relative_error;
    }
    prepared.run();  // the first run makes plans and touches memory
    for (auto _ : state) {
        prepared.run();
        benchmark::ClobberMemory();
    }
    using benchmark::Counter;
    if (prepared.flops > 0)
        state.counters["GFLOP/s"] = Counter(prepared.flops * 1e-9, Counter::kIsIterationInvariantRate);
    state.counters["GB/s"] = Counter(prepared.bytes * 1e-9, Counter::kIsIterationInvariantRate);
}

/// Takes an argument that begins so out of the list; returns what follows.
std::optional<std::string> take_option(int& count, char** arguments, std::string_view option) {
    for (int i = 1; i < count; ++i)
        if (const std::string argument = arguments[i]; argument.starts_with(option)) {
            for (int k = i; k + 1 < count; ++k) arguments[k] = arguments[k + 1];
            --count;
            return argument.substr(option.size());
        }
    return std::nullopt;
}

void add_benchmarks(const CaseSet& set, const std::string& implementation, Device device, DType dtype,
                    double verify_up_to) {
    std::string name = fmt::format("{}/{}", set.table().operation(), implementation);
    if (device.kind != DeviceKind::cpu) name += fmt::format("/{}/{}", to_string(device.kind), to_string(dtype));
    for (std::size_t i = 0; i < set.size(); ++i)
        if (set.is_benchmark(i))
            benchmark::RegisterBenchmark(
                fmt::format("{}/{}", name, set.name(i)).c_str(),
                [=, &set](benchmark::State& state) { run(state, set, i, implementation, device, dtype, verify_up_to); })
                ->UseRealTime()
                ->Unit(benchmark::kMicrosecond);
}

}  // namespace

int main(int count, char** arguments) {
    const bool with_reference = take_option(count, arguments, "--with_reference").has_value();
    const std::optional<std::string> limit = take_option(count, arguments, "--verify_up_to=");
    const double verify_up_to = limit ? std::stod(*limit) : usually_verified;
    const std::vector<std::unique_ptr<CaseSet>> sets = all_cases();
    const bool cuda = Device::best().kind == DeviceKind::cuda;
    for (const auto& set : sets)
        for (const auto& entry : set->table().entries()) {
            if (entry.name == "reference" && !with_reference) continue;
            if (entry.device == DeviceKind::cpu) add_benchmarks(*set, entry.name, {}, DType::f32, verify_up_to);
            if (entry.device == DeviceKind::cuda && cuda)
                for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
                    add_benchmarks(*set, entry.name, {DeviceKind::cuda}, dtype, verify_up_to);
        }
    benchmark::AddCustomContext("heddle_threads", std::to_string(thread_count()));
    benchmark::Initialize(&count, arguments);
    if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
