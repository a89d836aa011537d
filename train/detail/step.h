#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/graph.h"
#include "data/dataset.h"
#include "train/detail/gathered_mean.h"
#include "train/model.h"

namespace heddle::detail {

/// The inputs that the layers see: on `device`, floating ones in the type that the model computes in.
std::vector<Tensor> prepared_inputs(const Model& model, const std::vector<Tensor>& inputs, Device device);

/// The model's first output, in f32 where the layers compute in 16 bits.
Tensor first_output(const Model& model, const std::vector<Tensor>& inputs, bool training);

/// The same without training, averaged over changed copies of the pictures (train/test_augmentation.h).
Tensor averaged_output(const Model& model, const std::vector<Tensor>& inputs, TestAugmentation augmentation);

/// A batch as part of a step whose gradients come from several.
struct StepPart {
    double share = 1;  ///< of the step's examples: what the batch's mean loss counts for
    bool last = true;  ///< the optimizer follows

    bool whole() const { return last && share == 1; }
};

/// The steps of one training run: forward, backward, optimizer; the loss and the metrics gather each batch. Gradients
/// of a step's batches are summed in tensors that stay at one address, so that graphs add to them too.
///
/// On a device that can capture, the second step of a shape is recorded as a graph, and it and all later ones of that
/// shape are replays of it: the same kernels, the same bits. Other shapes (the last short batch) run eagerly. A step of
/// several batches has two graphs: with the optimizer and without. Needs metrics that stay on the device; a loss or
/// layer that waits for the device makes the capture fail, which is said once.
class TrainSteps {
  public:
    TrainSteps(const Model& model, NamedTensors parameters, GatheredMean& loss, bool capture);

    void run(const Batch& batch, const StepPart& part = {});
    /// Steps that were replays.
    std::int64_t replayed() const { return replayed_; }

  private:
    /// What a graph is made for: whatever of it changes makes the graph useless.
    struct Signature {
        std::vector<std::pair<Shape, DType>> batch = {};
        std::vector<std::pair<const void*, bool>> parameters = {};  // address, whether it is trained
        std::uint64_t seed = 0;
        double share = 1;
        bool operator==(const Signature&) const = default;
    };

    struct Recording {
        Signature seen = {}, captured = {};  // of the last eager step, and of the graph
        Graph graph = {};
        std::vector<Tensor> inputs = {};  // where the graph reads the batch
        Tensor target = {};
        std::uint64_t offsets_taken = 0;
    };

    Signature signature(const Batch& batch, const StepPart& part) const;
    void queue(const std::vector<Tensor>& inputs, const Tensor& target, std::int64_t samples, const StepPart& part);
    void place_sums();
    void add_to_sums();
    void apply_sums();
    bool try_capture(Recording& recording, std::int64_t samples, const StepPart& part);
    void replay(const Recording& recording, const Batch& batch, const StepPart& part);

    const Model& model_;
    NamedTensors parameters_;
    GatheredMean& loss_;
    Device device_;
    bool capture_;

    Recording without_optimizer_, with_optimizer_;
    std::vector<Tensor> sums_;      // of the gradients, by parameter; zero between steps
    std::vector<bool> received_;    // whether a parameter has ever had a gradient
    Tensor offset_;                 // i64 [1]: the random offset that the next replay begins at
    std::uint64_t offset_now_ = 0;  // what it holds
    std::int64_t replayed_ = 0;
};

}  // namespace heddle::detail
