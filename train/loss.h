#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "core/config.h"
#include "core/export.h"
#include "core/tensor.h"

namespace heddle {

/// A number to make small: a scalar tensor from a model's output and its target, each with the batch in front. It is
/// the mean of the values of examples, steps or elements. Where the output carries weights (ops/mask.h), each value is
/// multiplied by its own first, and the mean still divides by the number of values (Keras' "sum_over_batch_size", not
/// by the sum of the weights); where it carries a mask, only what counts is added up and counted, and the loss is 0
/// where nothing does. A shared handle. Names and defaults are Keras'; names in lower case with underscores ("mse",
/// "sparse_categorical_crossentropy") give the loss with its defaults.
class HEDDLE_API Loss {
  public:
    using Function = std::function<Tensor(const Tensor& prediction, const Tensor& target)>;

    /// What the targets of a loss are, for weights of classes.
    enum class Targets {
        any,      ///< of a loss of one's own
        numbers,  ///< no classes
        classes,  ///< labels, or distributions over the last axis
        binary    ///< 0 or 1
    };

    Loss() = default;
    Loss(const char* name) : Loss(std::string(name)) {}
    /// Throws `Error` that lists the names there are.
    Loss(const std::string& name);
    /// A loss of one's own, written with differentiable operations. It gives a value for each example or step, [N] or
    /// [N, ...] (as in Keras), of which the mean is taken as above; or one number, which is the loss: then it sees all
    /// steps and `ops::mask_of(prediction)` itself, and cannot be weighted.
    Loss(std::string name, Function function) : name_(std::move(name)), function_(std::move(function)) {}

    /// Throws `Error` naming the loss and both shapes where they do not go together.
    Tensor operator()(const Tensor& prediction, const Tensor& target) const;

    const std::string& name() const { return name_; }
    Targets targets() const { return targets_; }
    /// What saved models keep of it and `from_config` makes it from; nothing for a loss of one's own.
    const std::optional<Config>& config() const { return config_; }
    static Loss from_config(const Config& config);
    explicit operator bool() const { return static_cast<bool>(function_); }

  protected:
    /// One that heeds masks and weights itself. `config`: what saved models keep of it.
    Loss(std::string name, Targets targets, Function function)
        : name_(std::move(name)), function_(std::move(function)), targets_(targets) {}
    Loss(std::string name, Targets targets, std::optional<Config> config, Function function)
        : name_(std::move(name)), function_(std::move(function)), targets_(targets), config_(std::move(config)) {}

  private:
    std::string name_;
    Function function_;
    Targets targets_ = Targets::any;
    std::optional<Config> config_;
};

struct SparseCategoricalCrossentropyOptions {
    bool from_logits = false;  ///< true (better): the output is what goes into softmax; false: probabilities
    float label_smoothing = 0;
    std::optional<std::int64_t> ignore_class = {};  ///< rows with this label count for nothing
};
/// Integer labels [...], predictions [..., classes]. Mean over the labels.
class HEDDLE_API SparseCategoricalCrossentropy : public Loss {
  public:
    explicit SparseCategoricalCrossentropy(const SparseCategoricalCrossentropyOptions& options = {});
};

struct CategoricalCrossentropyOptions {
    bool from_logits = false;
    float label_smoothing = 0;
};
/// Targets are distributions of the predictions' shape (one-hot, smoothed, mixed), or integer labels [...] as PyTorch's
/// CrossEntropyLoss takes them: data that is trained with distributions (data/mixup.h) may be validated with labels.
class HEDDLE_API CategoricalCrossentropy : public Loss {
  public:
    explicit CategoricalCrossentropy(const CategoricalCrossentropyOptions& options = {});
};

struct BinaryCrossentropyOptions {
    bool from_logits = false;
    float label_smoothing = 0;  ///< targets move this far towards 0.5: t (1 - s) + s / 2
};
/// Targets in [0, 1], of the predictions' shape up to a last extent of 1.
class HEDDLE_API BinaryCrossentropy : public Loss {
  public:
    explicit BinaryCrossentropy(const BinaryCrossentropyOptions& options = {});
};

/// Means over all elements. Targets have the predictions' shape up to a last extent of 1, and any type.
class HEDDLE_API MeanSquaredError : public Loss {
  public:
    MeanSquaredError();
};
class HEDDLE_API MeanAbsoluteError : public Loss {
  public:
    MeanAbsoluteError();
};

struct HuberOptions {
    float delta = 1;
};
/// 0.5 d^2 up to |d| = delta, then delta (|d| - delta / 2).
class HEDDLE_API Huber : public Loss {
  public:
    explicit Huber(const HuberOptions& options = {});
};

/// sum t log(t / p) over the last axis, both clipped to at least 1e-7; mean over the rest. Distributions.
class HEDDLE_API KLDivergence : public Loss {
  public:
    KLDivergence();
};

/// p - t log p: counts t and their expected value p.
class HEDDLE_API Poisson : public Loss {
  public:
    Poisson();
};

/// Minus the cosine of the angle between prediction and target, vectors along the last axis: -1 where they agree.
class HEDDLE_API CosineSimilarity : public Loss {
  public:
    CosineSimilarity();
};

/// max(1 - t p, 0), where t is 1 or -1 (0 counts as -1).
class HEDDLE_API Hinge : public Loss {
  public:
    Hinge();
};
/// Its square.
class HEDDLE_API SquaredHinge : public Loss {
  public:
    SquaredHinge();
};

}  // namespace heddle
