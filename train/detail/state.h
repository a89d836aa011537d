#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/loader.h"
#include "train/model.h"

namespace heddle {

/// What a model knows besides its layers.
struct Model::State {
    bool compiled = false;
    CompileOptions training = {};
    std::vector<std::string> class_names = {};
    std::optional<Preprocessing> preprocessing = {};
};

namespace detail {

/// The compiled penalties on the weights; undefined where there are none.
Tensor penalty(const Model& model, const NamedTensors& parameters);

/// The mean of losses over examples. On a device a loss is read only when the mean is asked for, or many wait.
class RunningMean {
  public:
    void reset() { *this = RunningMean(); }
    void add(const Tensor& value, std::int64_t count);
    /// NaN where nothing was added.
    double mean();
    std::vector<double> state();
    void set_state(const std::vector<double>& state);

  private:
    void drain();
    double total_ = 0, count_ = 0;
    std::vector<std::pair<Tensor, double>> waiting_;
};

/// One step: forward, backward, optimizer; gradients are dropped after it. `loss` and the metrics gather the batch.
void train_step(const Model& model, const NamedTensors& parameters, const Batch& batch, RunningMean& loss);

/// "loss" and the metrics (which are reset) over an epoch of the loader.
Result evaluate(const Model& model, DataLoader& loader);

/// "loss" and the metrics as gathered so far.
Result gathered(const Model& model, RunningMean& loss);

Device device_of(const Layer& layer);

/// Parameters by their first name, each once: layers may share them.
NamedTensors unique_parameters(const Layer& layer);

}  // namespace detail
}  // namespace heddle
