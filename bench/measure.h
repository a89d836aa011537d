#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/driver/driver.h"
#include "core/graph.h"

namespace heddle::bench {

/// How long one run takes, from many samples.
struct Timing {
    double median = 0, spread = 0;  ///< seconds; the spread is the distance between the quartiles
    double fastest = 0;
    std::size_t samples = 0;
    std::string note = {};  ///< what limits the measurement, in words
};

Timing summarize(std::vector<double> samples);

/// How many runs a graph holds: about as many as are `wanted`, but a multiple of the copies, so that no copy is still
/// in a cache when its turn comes, neither within a replay nor across replays.
std::size_t runs_to_capture(std::size_t wanted, std::size_t copies);

/// Times one piece of work in several rounds, so that contenders can take turns and the load of the machine affects all
/// of them. The CPU is timed by the host's clock; on a GPU a graph of many runs is replayed between two events, so that
/// neither launches nor the host count. Devices without a clock (core/driver/clock.h) cannot be measured.
class Sampler {
  public:
    /// `run(copy, stream)` queues one run on operands number `copy`; successive runs take the next copy.
    using Run = std::function<void(std::size_t copy, StreamId stream)>;
    Sampler(Device device, std::size_t copies, Run run);
    ~Sampler();
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    static bool can_measure(Device device);
    /// At least two runs; makes plans, touches memory, finds how many runs a sample needs.
    void warm_up(double seconds);
    /// At least two samples.
    void round(double seconds);
    Timing timing() const;

  private:
    void run_next();
    double sample();
    void capture();

    Device device_;
    std::size_t copies_, next_ = 0, runs_ = 1;
    Run run_;
    Graph graph_;
    EventId begin_ = 0, end_ = 0;
    std::vector<double> samples_;
    std::string note_;
};

/// Operands larger than this together do not fit a cache: twice the last level's size on this machine; on a GPU 128
/// MiB.
std::size_t cold_bytes(Device device);

}  // namespace heddle::bench
