#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/export.h"
#include "core/tensor.h"
#include "layers/layer.h"
#include "train/schedule.h"

namespace heddle {

struct OptimizerGroup;
namespace detail {
struct GradientFactors;
class TrainSteps;
}  // namespace detail

/// What all optimizers take besides their own settings.
struct UpdateRules {
    Schedule learning_rate = 0.001;
    double weight_decay = 0;
    double clip_norm = 0;         ///< > 0: each gradient is scaled down to at most this norm
    double global_clip_norm = 0;  ///< > 0: all gradients together are
    bool decay_vectors = true;    ///< false: parameters of rank 0 and 1 (biases, norms) are not decayed
};

/// The rule by which parameters follow their gradients, with the state that the rule keeps per parameter. A kind of
/// optimizer derives from this.
class HEDDLE_API OptimizerImpl {
  public:
    explicit OptimizerImpl(UpdateRules rules);
    OptimizerImpl(UpdateRules rules, std::vector<OptimizerGroup> groups);
    virtual ~OptimizerImpl();

    virtual const char* class_name() const = 0;
    /// The names of the tensors kept per parameter ("momentum", ...), each of the parameter's shape.
    virtual std::vector<std::string> slots() const = 0;
    /// What all of them begin with.
    virtual double first_state() const { return 0; }

    struct Group {
        std::vector<Tensor> parameters = {};
        std::vector<Tensor> gradients = {};
        std::vector<std::vector<Tensor>> slots = {};  ///< [slot][parameter]
        double weight_decay = 0;
        Tensor learning_rate = {};   ///< f32 [1], on the parameters' device
        Tensor step = {};            ///< f32 [1]: the number of this step, counted from 1
        Tensor gradient_scale = {};  ///< f32 [1], or undefined for 1
        Tensor skip = {};            ///< f32 [1]: not zero where the step must change nothing; undefined: 0
    };
    /// Changes the parameters and slots of a group in place.
    virtual void update(const Group& group) = 0;

  private:
    friend class Optimizer;
    struct State;
    struct Saved;
    std::unique_ptr<State> state_;
};

/// A shared handle to an optimizer; "sgd", "adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta" and
/// "muon" give one with its defaults.
class HEDDLE_API Optimizer {
  public:
    Optimizer() = default;
    Optimizer(const char* name) : Optimizer(std::string(name)) {}
    /// Throws `Error` that lists the names there are.
    Optimizer(const std::string& name);
    explicit Optimizer(std::shared_ptr<OptimizerImpl> impl) : impl_(std::move(impl)) {}

    /// One step: changes every parameter that has a gradient (the others stay as they are, their state too). State
    /// belongs to the name of a parameter; give the same ones each time. Records nothing.
    void step(const NamedTensors& parameters) const;
    /// What `step` does, in three parts, for a step that a graph holds: `prepare` writes the rate to the device where
    /// it has changed; `apply` queues the update, which reads it there, and counts the steps taken there (the graph's
    /// part); `advance` counts on the host.
    void prepare(const NamedTensors& parameters) const;
    void apply(const NamedTensors& parameters) const;
    void advance() const;

    /// Dynamic loss scaling, for gradients in f16 (Micikevicius et al. 2018, arXiv:1710.03740): `scale_loss` multiplies
    /// the loss by a factor, `apply` divides the gradients by it. Where one of them is not finite the step changes
    /// nothing and the factor is halved; after 2000 steps without that it is doubled. It begins at 65536, and is part
    /// of `state()`. Skipped steps count in `iterations`, where schedules stand, and not as steps of Adam's bias
    /// correction.
    void set_loss_scaling(bool on) const;
    Tensor scale_loss(const Tensor& loss) const;
    /// 1 without loss scaling. Waits for the device.
    double loss_scale() const;

    /// Of the next step.
    double learning_rate() const;
    /// Replaces the rate from the next step on. Throws `Error` where a schedule sets it.
    void set_learning_rate(double rate) const;
    bool follows_schedule() const;
    /// Steps so far: where the schedule stands.
    std::int64_t iterations() const;

    /// All that the next step depends on besides parameters and gradients: "momentum.conv1.weight", ..., "iterations"
    /// (i64) and "learning_rate" (f64); with loss scaling also "loss_scale" and "steps_since_overflow" (f32), and
    /// "steps_taken" (i64) where steps were skipped. Of parameter groups all of that, led by "group0." and so on.
    NamedTensors state() const;
    /// Throws `Error`, with nothing changed, for names or shapes that are not of this optimizer and these parameters.
    void set_state(const NamedTensors& state, const NamedTensors& parameters) const;

    const char* class_name() const { return impl_->class_name(); }
    explicit operator bool() const { return impl_ != nullptr; }

    /// Class and settings, from which `from_config` makes one that begins anew; the learning rate is the one that holds
    /// now. Nothing for an optimizer or a schedule of one's own.
    std::optional<Config> config() const;
    static Optimizer from_config(const Config& config);

  protected:
    Optimizer(std::shared_ptr<OptimizerImpl> impl, std::optional<Config> settings);

  private:
    friend class OptimizerImpl;
    friend class detail::TrainSteps;
    /// Changes whenever tensors that a captured step refers to are replaced.
    std::int64_t generation() const;
    /// The two halves of `set_state`: all that may fail, and the rest.
    OptimizerImpl::Saved checked(const NamedTensors& saved, const NamedTensors& parameters) const;
    void take(OptimizerImpl::Saved saved) const;
    void apply(const NamedTensors& parameters, const detail::GradientFactors& factors) const;

    std::shared_ptr<OptimizerImpl> impl_;
};

struct SGDOptions {
    Schedule learning_rate = 0.01;
    double momentum = 0;
    bool nesterov = false;
    double weight_decay = 0;
    double clip_norm = 0;
    double global_clip_norm = 0;
    bool decay_vectors = true;
};
/// g += weight_decay p; v = momentum v + g; p -= lr v (nesterov: p -= lr (g + momentum v)): PyTorch's. Keras' is the
/// same as long as the rate stays the same.
class HEDDLE_API SGD : public Optimizer {
  public:
    explicit SGD(const SGDOptions& options = {});
};

struct AdamOptions {
    Schedule learning_rate = 0.001;
    double beta_1 = 0.9;
    double beta_2 = 0.999;
    double epsilon = 1e-7;
    bool amsgrad = false;
    double weight_decay = 0;
    double clip_norm = 0;
    double global_clip_norm = 0;
    bool decay_vectors = true;
};
/// m = beta_1 m + (1 - beta_1) g; v = beta_2 v + (1 - beta_2) g^2;
/// p -= lr / (1 - beta_1^t) m / (sqrt(v / (1 - beta_2^t)) + epsilon): Kingma and Ba 2015 with Keras' names and
/// defaults. (Keras adds epsilon before the bias correction of v.) Weight decay is added to the gradient.
class HEDDLE_API Adam : public Optimizer {
  public:
    explicit Adam(const AdamOptions& options = {});
};

struct AdamWOptions {
    Schedule learning_rate = 0.001;
    double weight_decay = 0.004;
    double beta_1 = 0.9;
    double beta_2 = 0.999;
    double epsilon = 1e-7;
    bool amsgrad = false;
    double clip_norm = 0;
    double global_clip_norm = 0;
    bool decay_vectors = true;
};
/// Adam with decoupled decay: p *= 1 - lr weight_decay before the step (Loshchilov and Hutter 2019).
class HEDDLE_API AdamW : public Optimizer {
  public:
    explicit AdamW(const AdamWOptions& options = {});
};

struct NadamOptions {
    Schedule learning_rate = 0.001;
    double beta_1 = 0.9;
    double beta_2 = 0.999;
    double epsilon = 1e-7;
    /// How fast beta_1 rises from its half, mu_i = beta_1 (1 - 0.5 * 0.96^(i momentum_decay)): 1 as in Keras, 0.004 in
    /// PyTorch.
    double momentum_decay = 1;
    double weight_decay = 0;
    double clip_norm = 0;
    double global_clip_norm = 0;
    bool decay_vectors = true;
};
/// Adam with Nesterov's momentum (Dozat 2016): with m and v as of Adam and M_t = mu_1 mu_2 ... mu_t,
/// p -= lr (mu_(t+1) m / (1 - M_(t+1)) + (1 - mu_t) g / (1 - M_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon).
class HEDDLE_API Nadam : public Optimizer {
  public:
    explicit Nadam(const NadamOptions& options = {});
};

struct AdamaxOptions {
    Schedule learning_rate = 0.001;
    double beta_1 = 0.9;
    double beta_2 = 0.999;
    double epsilon = 1e-7;
    double weight_decay = 0;
    double clip_norm = 0;
    double global_clip_norm = 0;
    bool decay_vectors = true;
};
/// Adam with the largest gradient for the mean square (Kingma and Ba 2015): u = max(beta_2 u, |g| + epsilon);
/// p -= lr / (1 - beta_1^t) m / u, as in PyTorch. (Keras adds epsilon to u in the step.)
class HEDDLE_API Adamax : public Optimizer {
  public:
    explicit Adamax(const AdamaxOptions& options = {});
};

struct RMSpropOptions {
    Schedule learning_rate = 0.001;
    double rho = 0.9;
    double momentum = 0;
    double epsilon = 1e-7;
    bool centered = false;
    double weight_decay = 0;
    double clip_norm = 0;
    double global_clip_norm = 0;
    bool decay_vectors = true;
};
/// s = rho s + (1 - rho) g^2; p -= lr g / (sqrt(s) + epsilon), with momentum and centring as in PyTorch. (Keras adds
/// epsilon under the root.)
class HEDDLE_API RMSprop : public Optimizer {
  public:
    explicit RMSprop(const RMSpropOptions& options = {});
};

struct AdagradOptions {
    Schedule learning_rate = 0.001;
    double initial_accumulator_value = 0.1;  ///< 0 in PyTorch
    double epsilon = 1e-7;
    double weight_decay = 0;
    double clip_norm = 0;
    double global_clip_norm = 0;
    bool decay_vectors = true;
};
/// s += g^2; p -= lr g / (sqrt(s) + epsilon) (Duchi et al. 2011), where s begins with initial_accumulator_value.
/// (Keras adds epsilon under the root.)
class HEDDLE_API Adagrad : public Optimizer {
  public:
    explicit Adagrad(const AdagradOptions& options = {});
};

struct AdadeltaOptions {
    Schedule learning_rate = 0.001;  ///< 1 in PyTorch, as in the paper
    double rho = 0.95;
    double epsilon = 1e-7;
    double weight_decay = 0;
    double clip_norm = 0;
    double global_clip_norm = 0;
    bool decay_vectors = true;
};
/// s = rho s + (1 - rho) g^2; u = g sqrt(d + epsilon) / sqrt(s + epsilon); d = rho d + (1 - rho) u^2; p -= lr u
/// (Zeiler 2012).
class HEDDLE_API Adadelta : public Optimizer {
  public:
    explicit Adadelta(const AdadeltaOptions& options = {});
};

}  // namespace heddle
