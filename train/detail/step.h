#pragma once

#include <cstdint>
#include <vector>

#include "train/detail/class_weights.h"
#include "train/detail/gathered_mean.h"
#include "train/detail/label_check.h"
#include "train/detail/recorder.h"
#include "train/model.h"

namespace heddle::detail {

/// The inputs that the layers see: on `device`, floating ones in the type that the model computes in.
std::vector<Tensor> prepared_inputs(const Model& model, const std::vector<Tensor>& inputs, Device device);

/// Whether all metrics stay on the device, so that steps which update them can be captured.
bool metrics_stay(const Model& model);

/// The model's first output, in f32 where the layers compute in 16 bits.
Tensor first_output(const Model& model, const std::vector<Tensor>& inputs, bool training);

/// The same without training, averaged over changed copies of the pictures (train/test_augmentation.h).
Tensor averaged_output(const Model& model, const std::vector<Tensor>& inputs, TestAugmentation augmentation);

/// Updates the metrics with an output; its weights reach only the weighted ones.
void update_metrics(const Model& model, const Tensor& prediction, const Tensor& target);

/// A batch as part of a step whose gradients come from several.
struct StepPart {
    double share = 1;  ///< of the step's examples: what the batch's mean loss counts for
    bool last = true;  ///< the optimizer follows

    bool whole() const { return last && share == 1; }
};

/// The steps of one training run: forward, backward, optimizer; the loss and the metrics accumulate over batches. The
/// gradients of a step's batches are summed in tensors with fixed addresses, so that graphs can add to them.
///
/// Captured by a StepRecorder; a step of several batches has two graphs, with the optimizer and without. Capturing
/// needs metrics that stay on the device; a loss or layer that waits for the device makes it fail.
class TrainSteps {
  public:
    TrainSteps(const Model& model, NamedTensors parameters, GatheredMean& loss, bool capture,
               const ClassWeight& class_weight = {});

    void run(const StepBatch& batch, const StepPart& part = {});
    /// Steps that were replays.
    std::int64_t replayed() const { return replayed_; }

  private:
    void queue(const Batch& batch, const StepPart& part);
    void weigh(const Tensor& prediction, const Tensor& target, const Tensor& weight) const;
    void place_sums();
    void add_to_sums();
    void apply_sums();
    void drop_gradients();

    const Model& model_;
    NamedTensors parameters_;
    GatheredMean& loss_;
    Device device_;
    ClassWeights class_weights_;
    LabelCheck label_check_;

    StepRecorder recorder_;
    StepRecorder::Recording without_optimizer_, with_optimizer_;
    std::vector<Tensor> sums_;    // of the gradients, by parameter; zero between steps
    std::vector<bool> received_;  // whether a parameter has ever had a gradient
    std::int64_t replayed_ = 0;
};

}  // namespace heddle::detail
