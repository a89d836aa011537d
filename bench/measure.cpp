#include "bench/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>

#include "core/check.h"
#include "core/driver/clock.h"
#include "core/parallel.h"
#include "core/stream.h"

namespace heddle::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// A shorter sample would measure the clock; on a GPU, the start and the end of a graph. (The number of runs on a GPU
/// follows from a single run with its launch and wait, so that the sample becomes shorter than this.)
constexpr double shortest_sample = 50e-6, shortest_sample_on_gpu = 1e-3;
constexpr std::size_t most_runs = 1000;

/// The last-level caches of all processors together, in bytes; 0 where the system does not say. (sysconf counts caches
/// of a host that a virtual machine does not have.)
std::size_t last_level_cache() {
    std::map<std::string, std::size_t> sizes;  // by the processors that share it
    for (int cpu = 0;; ++cpu) {
        const std::string folder = fmt::format("/sys/devices/system/cpu/cpu{}/cache/index3/", cpu);
        std::ifstream size(folder + "size"), shared(folder + "shared_cpu_list");
        std::size_t kibibytes = 0;
        std::string processors;
        if (!(size >> kibibytes) || !(shared >> processors)) break;
        sizes[processors] = kibibytes << 10;
    }
    std::size_t total = 0;
    for (const auto& [processors, bytes] : sizes) total += bytes;
    return total;
}

}  // namespace

Timing summarize(std::vector<double> samples) {
    Timing timing;
    timing.samples = samples.size();
    if (samples.empty()) return timing;
    std::sort(samples.begin(), samples.end());
    const auto quantile = [&](double share) {
        const double place = share * static_cast<double>(samples.size() - 1);
        const auto below = static_cast<std::size_t>(place);
        const std::size_t above = std::min(below + 1, samples.size() - 1);
        return samples[below] + (place - static_cast<double>(below)) * (samples[above] - samples[below]);
    };
    timing.median = quantile(0.5);
    timing.spread = quantile(0.75) - quantile(0.25);
    timing.fastest = samples.front();
    return timing;
}

std::size_t runs_to_capture(std::size_t wanted, std::size_t copies) {
    const std::size_t runs = std::clamp<std::size_t>(wanted, 10, 200);
    return (runs + copies - 1) / copies * copies;
}

Sampler::Sampler(Device device, std::size_t copies, Run run) : device_(device), copies_(copies), run_(std::move(run)) {
    check(can_measure(device), "{} keeps no time: nothing can be measured on it", device);
    if (device.kind == DeviceKind::cpu) return;
    begin_ = device_clock(device)->create_timer();
    end_ = device_clock(device)->create_timer();
}

Sampler::~Sampler() {
    if (device_.kind == DeviceKind::cpu) return;
    graph_ = Graph();
    driver(device_).destroy_event(begin_);
    driver(device_).destroy_event(end_);
}

bool Sampler::can_measure(Device device) { return device.kind == DeviceKind::cpu || device_clock(device) != nullptr; }

void Sampler::run_next() {
    run_(next_, current_stream(device_));
    next_ = (next_ + 1) % copies_;
}

void Sampler::warm_up(double seconds) {
    const FlushDenormals flush;
    const auto finish = [&] {
        if (device_.kind != DeviceKind::cpu) driver(device_).synchronize(current_stream(device_));
    };
    run_next();
    finish();
    const auto start = Clock::now();
    std::size_t runs = 0;
    do {
        run_next();
        finish();
        ++runs;
    } while (seconds_since(start) < seconds);
    const double each = seconds_since(start) / static_cast<double>(runs);
    const double shortest = device_.kind == DeviceKind::cpu ? shortest_sample : shortest_sample_on_gpu;
    runs_ = std::clamp<std::size_t>(static_cast<std::size_t>(std::ceil(shortest / each)), 1, most_runs);
    if (device_.kind != DeviceKind::cpu) capture();
}

/// Without a graph the runs of a sample are queued one by one.
void Sampler::capture() {
    runs_ = runs_to_capture(runs_, copies_);
    if (!Graph::can_capture(device_)) {
        note_ = "not captured: times hold launches";
        return;
    }
    try {
        graph_ = Graph::capture(device_, [&] {
            for (std::size_t i = 0; i < runs_; ++i) run_next();
        });
    } catch (const Error& error) {
        note_ = fmt::format("not captured, times hold launches: {}", error.what());
    }
}

double Sampler::sample() {
    if (device_.kind == DeviceKind::cpu) {
        const auto start = Clock::now();
        for (std::size_t i = 0; i < runs_; ++i) run_next();
        return seconds_since(start) / static_cast<double>(runs_);
    }
    Driver& gpu = driver(device_);
    const StreamId stream = current_stream(device_);
    if (graph_) graph_.replay();  // keeps the GPU busy until the host has queued what is timed
    gpu.record(begin_, stream);
    if (graph_)
        graph_.replay();
    else
        for (std::size_t i = 0; i < runs_; ++i) run_next();
    gpu.record(end_, stream);
    gpu.synchronize(stream);
    return device_clock(device_)->seconds_between(begin_, end_) / static_cast<double>(runs_);
}

void Sampler::round(double seconds) {
    const FlushDenormals flush;
    const auto start = Clock::now();
    for (int i = 0; i < 2 || seconds_since(start) < seconds; ++i) samples_.push_back(sample());
}

Timing Sampler::timing() const {
    Timing timing = summarize(samples_);
    timing.note = note_;
    return timing;
}

std::size_t cold_bytes(Device device) {
    constexpr std::size_t mebi = std::size_t{1} << 20;
    if (device.kind != DeviceKind::cpu) return 128 * mebi;
    const std::size_t cache = last_level_cache();
    return cache == 0 ? 64 * mebi : std::clamp(2 * cache, 8 * mebi, 512 * mebi);
}

}  // namespace heddle::bench
