#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/export.h"

namespace heddle {

/// A learning rate as a function of the optimizer's step, counted from 0. A number is a schedule too, so that
/// `.learning_rate = 1e-3f` and `.learning_rate = CosineDecay({...})` both work. Being pure functions of the step,
/// schedules need no state in checkpoints.
class HEDDLE_API Schedule {
  public:
    Schedule(double constant) : constant_(constant) {}
    explicit Schedule(std::function<double(std::int64_t step)> rate) : rate_(std::move(rate)) {}

    double at(std::int64_t step) const { return rate_ ? rate_(step) : constant_; }
    bool is_constant() const { return !rate_; }

    /// The number, or the class and its settings, from which `from_config` makes it again; nothing for a function of
    /// one's own.
    std::optional<Config> config() const { return rate_ ? config_ : std::optional<Config>(constant_); }
    static Schedule from_config(const Config& config);

  protected:
    Schedule(std::function<double(std::int64_t step)> rate, std::optional<Config> config)
        : rate_(std::move(rate)), config_(std::move(config)) {}

  private:
    double constant_ = 0;
    std::function<double(std::int64_t)> rate_;
    std::optional<Config> config_;
};

struct StepDecayOptions {
    double initial_learning_rate = 0.1;
    std::int64_t step_size = 1000;
    double factor = 0.1;
};
/// initial * factor^floor(step / step_size).
class HEDDLE_API StepDecay : public Schedule {
  public:
    explicit StepDecay(const StepDecayOptions& options);
};

/// values[i] up to and including step boundaries[i], values.back() after the last one (Keras'
/// PiecewiseConstantDecay, PyTorch's MultiStepLR). One more value than boundaries, which rise.
class HEDDLE_API PiecewiseConstantDecay : public Schedule {
  public:
    PiecewiseConstantDecay(std::vector<std::int64_t> boundaries, std::vector<double> values);
};

struct ExponentialDecayOptions {
    double initial_learning_rate = 0.1;
    std::int64_t decay_steps = 1000;
    double decay_rate = 0.96;
    bool staircase = false;
};
/// initial * decay_rate^(step / decay_steps); the quotient is rounded down with `staircase`.
class HEDDLE_API ExponentialDecay : public Schedule {
  public:
    explicit ExponentialDecay(const ExponentialDecayOptions& options);
};

struct LinearDecayOptions {
    double initial_learning_rate = 0.1;
    std::int64_t decay_steps = 1000;
    double end_learning_rate = 0;
};
/// A straight line from the initial rate to the end rate over `decay_steps`, constant after.
class HEDDLE_API LinearDecay : public Schedule {
  public:
    explicit LinearDecay(const LinearDecayOptions& options);
};

struct CosineDecayOptions {
    double initial_learning_rate = 0.1;
    std::int64_t decay_steps = 1000;  ///< of the decay alone, without the warm-up
    double alpha = 0;                 ///< the last rate as a fraction of the first
    std::int64_t warmup_steps = 0;    ///< linear from 0 before the decay begins
};
/// initial * (alpha + (1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2), constant after (Loshchilov and Hutter,
/// "SGDR", 2017).
class HEDDLE_API CosineDecay : public Schedule {
  public:
    explicit CosineDecay(const CosineDecayOptions& options);
};

struct CosineDecayRestartsOptions {
    double initial_learning_rate = 0.1;
    std::int64_t first_decay_steps = 1000;
    double t_mul = 2;  ///< each period is this many times the one before
    double m_mul = 1;  ///< and falls from this many times its height above the last rate
    double alpha = 0;  ///< the last rate of every period as a fraction of the first
};
/// Cosine decay that begins anew at the end of each period (the same paper): in period i, initial * (alpha + (1 -
/// alpha) m_mul^i (1 + cos(pi * progress)) / 2).
class HEDDLE_API CosineDecayRestarts : public Schedule {
  public:
    explicit CosineDecayRestarts(const CosineDecayRestartsOptions& options);
};

struct OneCycleOptions {
    double max_learning_rate = 0.1;
    std::int64_t total_steps = 1000;
    double start_fraction = 0.3;  ///< of the steps, spent rising
    double initial_divisor = 25;  ///< first rate = max / initial_divisor
    double final_divisor = 1e4;   ///< last rate = first rate / final_divisor
};
/// Cosine up, then cosine down (Smith, "Super-convergence", 2018), as PyTorch's OneCycleLR; constant after.
class HEDDLE_API OneCycle : public Schedule {
  public:
    explicit OneCycle(const OneCycleOptions& options);
};

/// Rises in a straight line from `start` to what `then` begins with over `steps`, and runs `then` (its steps counted
/// from there) after.
class HEDDLE_API Warmup : public Schedule {
  public:
    Warmup(std::int64_t steps, Schedule then, double start = 0);
};

}  // namespace heddle
