#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/graph.h"
#include "layers/layer.h"
#include "train/detail/batch_source.h"

namespace heddle::detail {

/// Queues the same step for one batch after another. On a device that can capture, the second step of a shape is
/// recorded as a graph; that step and all later ones of the shape are replays: the same kernels, the same bits. Other
/// shapes (a short last batch) run eagerly. Batches of resident data are made inside the step.
class StepRecorder {
  public:
    /// Numbers that are part of a step.
    struct Constants {
        double share = 1;            ///< of the step's examples: what the batch's loss counts for
        std::int64_t optimizer = 0;  ///< `Optimizer::generation()`: new tensors of its state have a new one
        bool operator==(const Constants&) const = default;
    };

    /// What a graph depends on: if any of it changes, the graph is useless.
    struct Key {
        std::vector<std::pair<Shape, DType>> batch = {};
        std::vector<std::pair<const void*, bool>> tensors = {};  // address, whether it is trained
        std::uint64_t seed = 0;
        Constants constants = {};
        bool operator==(const Key&) const = default;
    };

    /// A kind of step: its graph, once there is one.
    struct Recording {
        Key seen = {}, captured = {};  // of the last eager step, and of the graph
        Graph graph = {};
        Batch batch = {};  // where the graph reads the batch, if it does not make it
        std::uint64_t offsets_taken = 0;
    };

    /// `what`: "training step", for the notice that it cannot be captured.
    StepRecorder(Device device, bool capture, std::string what);

    /// `tensors`: those that the step reads and writes. A `step` that waits for the device cannot be captured, which a
    /// notice says; other exceptions reach the caller. Returns whether it was a replay.
    bool run(Recording& recording, const StepBatch& batch, const NamedTensors& tensors, const Constants& constants,
             const std::function<void(const Batch&)>& step);

  private:
    bool try_capture(Recording& recording, const StepBatch& batch, const std::function<void(const Batch&)>& step);
    void replay(const Recording& recording, const StepBatch& batch);

    Device device_;
    bool capture_;
    std::string what_;
    Tensor offset_;                 // i64 [1]: the random offset that the next replay begins at
    std::uint64_t offset_now_ = 0;  // what it holds
};

}  // namespace heddle::detail
