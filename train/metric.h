#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/export.h"
#include "core/tensor.h"

namespace heddle {

/// How good predictions are, gathered over batches. A kind of metric derives from this.
class HEDDLE_API MetricImpl {
  public:
    virtual ~MetricImpl();

    virtual void reset() = 0;
    /// Steps that `ops::mask_of(prediction)` leaves out count for nothing in the metrics that have names, and the
    /// others for their `ops::weight_of(prediction)`, which reaches `CompileOptions::weighted_metrics` alone.
    virtual void update(const Tensor& prediction, const Tensor& target) = 0;
    /// Whether `update` only queues work where the tensors are, without reading them: then a captured training step can
    /// hold it. What it adds to must then stay at one address, also through `reset`.
    virtual bool on_device() const { return false; }
    virtual double result() const = 0;
    /// What was gathered so far, for checkpoints in the middle of an epoch.
    virtual std::vector<double> state() const = 0;
    virtual void set_state(const std::vector<double>& state) = 0;
};

/// A shared handle to a metric. Names: "accuracy", "sparse_categorical_accuracy", "categorical_accuracy",
/// "binary_accuracy", "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy", "precision", "recall",
/// "f1_score", "auc" (train/binary_metrics.h), "mse", "mae", "rmse" (and Keras' long forms).
class HEDDLE_API Metric {
  public:
    Metric() = default;
    Metric(const char* name) : Metric(std::string(name)) {}
    /// Throws `Error` that lists the names there are.
    Metric(const std::string& name);
    /// The mean over all examples of `function`, which is called per batch and gives that batch's mean.
    Metric(std::string name, std::function<double(const Tensor& prediction, const Tensor& target)> function);
    Metric(std::string name, std::shared_ptr<MetricImpl> impl) : name_(std::move(name)), impl_(std::move(impl)) {}

    const std::string& name() const { return name_; }
    /// The same metric, with what it gathers, under another name.
    Metric named(std::string name) const { return Metric(std::move(name), impl_, config_); }
    /// What saved models keep of it and `from_config` makes it from, without what it gathered; nothing for a metric of
    /// one's own.
    std::optional<Config> config() const;
    static Metric from_config(const Config& config);
    bool is(const Metric& other) const { return impl_ == other.impl_; }
    void reset() const { impl_->reset(); }
    /// Adds a batch. Throws `Error` naming the metric and both shapes where they do not go together.
    void update(const Tensor& prediction, const Tensor& target) const;
    bool on_device() const { return impl_->on_device(); }
    /// Over what was added since `reset`; NaN where nothing was.
    double result() const { return impl_->result(); }
    std::vector<double> state() const { return impl_->state(); }
    void set_state(const std::vector<double>& state) const { impl_->set_state(state); }

    explicit operator bool() const { return impl_ != nullptr; }

  protected:
    Metric(std::string name, std::shared_ptr<MetricImpl> impl, std::optional<Config> config)
        : name_(std::move(name)), impl_(std::move(impl)), config_(std::move(config)) {}
    const MetricImpl& impl() const { return *impl_; }

  private:
    std::string name_;
    std::shared_ptr<MetricImpl> impl_;
    std::optional<Config> config_;
};

/// The fraction of examples whose largest prediction is the label: integer labels [...], predictions [..., classes].
/// The lowest class wins a tie. Positions labelled `ignore_class` count for nothing.
class HEDDLE_API SparseCategoricalAccuracy : public Metric {
  public:
    explicit SparseCategoricalAccuracy(std::optional<std::int64_t> ignore_class = {},
                                       const std::string& name = "sparse_categorical_accuracy");
};

/// The fraction of examples whose target is among the k largest predictions; a tie counts as in. Targets: integers
/// [...], or distributions of the predictions' shape.
class HEDDLE_API TopKCategoricalAccuracy : public Metric {
  public:
    explicit TopKCategoricalAccuracy(int k = 5, const std::string& name = "top_k_categorical_accuracy");
};

/// The fraction of elements on the same side of `threshold` as their targets (0 or 1). Logits: use threshold 0.
class HEDDLE_API BinaryAccuracy : public Metric {
  public:
    explicit BinaryAccuracy(double threshold = 0.5, const std::string& name = "binary_accuracy");
};

}  // namespace heddle
