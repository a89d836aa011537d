#include <utility>

#include "core/check.h"
#include "ops/autograd/grad_mode.h"
#include "train/callback.h"
#include "train/detail/state.h"
#include "train/model.h"

namespace heddle {
namespace {

/// A copy of all weights and running statistics beside the model's own.
class SlowWeights : public CallbackImpl {
  public:
    void on_train_begin(Training&) override {
        if (!resumed_) slow_.clear();
        resumed_ = false;
    }
    NamedTensors state() const override { return slow_; }
    void set_state(const NamedTensors& state) override {
        slow_.clear();
        for (const auto& [name, tensor] : state) slow_.emplace_back(name, tensor.clone());
        placed_ = false;
        resumed_ = true;
    }

  protected:
    /// Starts from the model's weights if there are none yet; puts those of a checkpoint in the model's order and on
    /// its device.
    void place(const Model& model) {
        const NamedTensors trained = detail::all_tensors(model);
        if (slow_.empty())
            for (const auto& [name, tensor] : trained) slow_.emplace_back(name, tensor.detach().clone());
        if (!std::exchange(placed_, true)) slow_ = detail::in_order_of(trained, slow_);
        for (std::size_t i = 0; i < slow_.size(); ++i) slow_[i].second = slow_[i].second.to(trained[i].second.device());
    }
    /// slow = decay slow + (1 - decay) trained, computed so that weights which did not change keep their bits.
    /// Integers, which count something, have no average: the trained model's.
    void follow(const Model& model, double decay) const {
        const NoGrad no_grad;
        const NamedTensors trained = detail::all_tensors(model);
        for (std::size_t i = 0; i < trained.size(); ++i) {
            const Tensor slow = slow_[i].second, now = trained[i].second.detach();
            slow.copy_(is_floating(slow.dtype()) ? slow + (now - slow) * (1 - decay) : now);
        }
    }
    void give_to(const Model& model) {
        if (slow_.empty()) return;
        place(model);
        const NamedTensors trained = detail::all_tensors(model);
        for (std::size_t i = 0; i < trained.size(); ++i) trained[i].second.copy_(slow_[i].second);
    }
    static std::int64_t steps(const Training& training) {
        return training.epoch * training.steps_per_epoch + training.step;
    }

  private:
    NamedTensors slow_;
    bool placed_ = false;  // in the model's order
    bool resumed_ = false;
};

class WeightAveragingImpl final : public SlowWeights {
  public:
    explicit WeightAveragingImpl(const WeightAveragingOptions& options) : options_(options) {
        check(options.decay >= 0 && options.decay < 1, "WeightAveraging: decay must be in [0, 1), got {}",
              options.decay);
        check(options.every_steps >= 1, "WeightAveraging: every_steps must be positive, got {}", options.every_steps);
    }
    void on_batch_begin(Training& training) override {
        if (training.epoch >= options_.start_epoch) place(training.model);
    }
    void on_batch_end(Training& training) override {
        if (training.epoch >= options_.start_epoch && steps(training) % options_.every_steps == 0)
            follow(training.model, options_.decay);
    }
    void on_train_end(Training& training) override { give_to(training.model); }

  private:
    WeightAveragingOptions options_;
};

class LookaheadImpl final : public SlowWeights {
  public:
    explicit LookaheadImpl(const LookaheadOptions& options) : options_(options) {
        check(options.every_steps >= 1, "Lookahead: every_steps must be positive, got {}", options.every_steps);
    }
    void on_batch_begin(Training& training) override { place(training.model); }
    void on_batch_end(Training& training) override {
        if (steps(training) % options_.every_steps != 0) return;
        const double decay = options_.decay.at(steps(training));
        check(decay >= 0 && decay <= 1, "Lookahead: decay must be in [0, 1], got {} at step {}", decay,
              steps(training));
        follow(training.model, decay);
        give_to(training.model);
    }
    void on_train_end(Training& training) override { give_to(training.model); }

  private:
    LookaheadOptions options_;
};

}  // namespace

WeightAveraging::WeightAveraging(const WeightAveragingOptions& options)
    : Callback(std::make_shared<WeightAveragingImpl>(options)) {}

Lookahead::Lookahead(const LookaheadOptions& options) : Callback(std::make_shared<LookaheadImpl>(options)) {}

}  // namespace heddle
