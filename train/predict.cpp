#include <algorithm>

#include "core/check.h"
#include "ops/autograd/grad_mode.h"
#include "train/detail/recorder.h"
#include "train/detail/state.h"
#include "train/detail/step.h"

namespace heddle {

using namespace detail;

namespace {

/// A model's first outputs of all batches in one tensor: collected on the device and copied to the host once, so that
/// the host does not wait in between, unless they would take too much of the device's memory.
class Outputs {
  public:
    Outputs(std::int64_t rows, Device home) : rows_(rows), home_(home) {}

    void add(const Tensor& output, std::int64_t expected) {
        check(output.rank() >= 1 && output.size(0) == expected, "predict: {} rows went in, {} came out", expected,
              output.shape().to_string());
        if (!all_.defined()) {
            const auto bytes = output.bytes() / static_cast<std::size_t>(expected) * static_cast<std::size_t>(rows_);
            const Device place = may_stay(bytes, output.device(), most_gathered) ? output.device() : home_;
            all_ = Tensor::empty(output.shape().with(0, rows_), {output.dtype(), place});
        }
        all_.slice(done_, done_ + expected).copy_(output);
        done_ += expected;
    }
    Tensor take() { return all_.to(home_); }

  private:
    static constexpr std::size_t most_gathered = std::size_t{256} << 20;

    std::int64_t rows_, done_ = 0;
    Device home_;
    Tensor all_;
};

/// Predicts one batch after another, as `Evaluation` evaluates them.
class Prediction {
  public:
    Prediction(const Model& model, std::int64_t rows, Device home)
        : model_(model),
          device_(device_of(model)),
          recorder_(device_, true, "prediction of a batch"),
          tensors_(all_tensors(model)),
          outputs_(rows, home) {}

    void run(const StepBatch& batch) {
        // A replay writes the output of the step that was recorded, which was the last to set it.
        recorder_.run(recording_, batch, tensors_, {}, [this](const Batch& its) {
            output_ = first_output(model_, prepared_inputs(model_, its.inputs, device_), false);
        });
        outputs_.add(output_, batch.samples);
    }
    Tensor take() { return outputs_.take(); }

  private:
    const Model& model_;
    Device device_;
    StepRecorder recorder_;
    StepRecorder::Recording recording_;
    NamedTensors tensors_;
    Tensor output_;
    Outputs outputs_;
};

}  // namespace

Tensor Model::predict(const Tensor& x, std::int64_t batch_size) const {
    return predict(std::vector<Tensor>{x}, batch_size);
}

Tensor Model::predict(const std::vector<Tensor>& inputs, std::int64_t batch_size) const {
    check(batch_size > 0, "predict: batch_size must be positive, got {}", batch_size);
    check_rows(inputs, "predict");
    const std::vector<Shape>& examples = input_shapes();
    for (std::size_t i = 0; i < inputs.size() && inputs.size() == examples.size(); ++i)
        check(inputs[i].rank() == examples[i].rank() + 1, "predict: expected [N, ...] with examples of {}, got {}",
              examples[i], inputs[i].shape());
    const NoGrad no_grad;
    const Device device = device_of(*this), home = inputs.front().device();
    const std::int64_t rows = inputs.front().size(0);
    if (rows <= batch_size) return first_output(*this, prepared_inputs(*this, inputs, device), false).to(home);
    std::size_t bytes = 0;
    for (const Tensor& input : inputs) bytes += input.device() == device ? 0 : input.bytes();
    const bool stay = may_stay(bytes, device, {});
    std::vector<Tensor> all;
    for (const Tensor& input : inputs) all.push_back(stay ? input.to(device) : input);
    Prediction prediction(*this, rows, home);
    for (std::int64_t first = 0; first < rows; first += batch_size) {
        const std::int64_t last = std::min(first + batch_size, rows);
        StepBatch batch{.samples = last - first};
        for (const Tensor& input : all) batch.given.inputs.push_back(input.slice(first, last));
        prediction.run(batch);
    }
    return prediction.take();
}

Tensor Model::predict(const Dataset& data, std::int64_t batch_size) const {
    check(data.defined() && data.size() > 0, "predict: the data set is empty");
    const NoGrad no_grad;
    BatchSource source(data.without_augmentation(), {.batch_size = batch_size}, device_of(*this),
                       compute_dtype(precision_of(*this)), {});
    Prediction prediction(*this, data.size(), Device());
    source.start(0);
    for (StepBatch batch; source.next(batch);) prediction.run(batch);
    return prediction.take();
}

}  // namespace heddle
