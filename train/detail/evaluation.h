#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "train/detail/gathered_mean.h"
#include "train/detail/label_check.h"
#include "train/detail/recorder.h"
#include "train/model.h"

namespace heddle::detail {

struct EvaluationPlan {
    TestAugmentation augmentation = TestAugmentation::none;
    bool capture = true;
    std::optional<std::size_t> resident_bytes = {};
};

/// Evaluates a model on a data set, any number of times: the data stays on the device if it may, steps are captured by
/// a StepRecorder, and the host waits once, when it reads the sums at the end.
class Evaluation {
  public:
    Evaluation(const Model& model, const Dataset& data, const LoaderOptions& options, const EvaluationPlan& plan);

    /// "loss" and the metrics (which are reset) over all examples, in order.
    Result run();
    /// Batches that were replays, over all runs.
    std::int64_t replayed() const { return replayed_; }

  private:
    void queue(const Batch& batch);

    const Model& model_;
    Device device_;
    TestAugmentation augmentation_;
    BatchSource source_;
    StepRecorder recorder_;
    StepRecorder::Recording recording_;
    LabelCheck label_check_;
    GatheredMean loss_;
    std::int64_t replayed_ = 0;
};

}  // namespace heddle::detail
