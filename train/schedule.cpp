#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "core/check.h"

namespace heddle {
namespace {

double ratio(std::int64_t step, std::int64_t steps) { return static_cast<double>(step) / static_cast<double>(steps); }

/// From 1 at 0 to 0 at 1.
double cosine(double progress) { return 0.5 * (1 + std::cos(std::numbers::pi * std::min(progress, 1.0))); }

}  // namespace

StepDecay::StepDecay(const StepDecayOptions& o)
    : Schedule([o](std::int64_t step) {
          return o.initial_learning_rate * std::pow(o.factor, static_cast<double>(step / o.step_size));
      }) {
    check(o.step_size > 0, "StepDecay: step_size must be positive, got {}", o.step_size);
}

PiecewiseConstantDecay::PiecewiseConstantDecay(std::vector<std::int64_t> boundaries, std::vector<double> values)
    : Schedule([boundaries, values](std::int64_t step) {
          const auto place = std::lower_bound(boundaries.begin(), boundaries.end(), step);
          return values[static_cast<std::size_t>(place - boundaries.begin())];
      }) {
    check(values.size() == boundaries.size() + 1, "PiecewiseConstantDecay: {} boundaries need {} values, got {}",
          boundaries.size(), boundaries.size() + 1, values.size());
    check(std::adjacent_find(boundaries.begin(), boundaries.end(), std::greater_equal<>()) == boundaries.end(),
          "PiecewiseConstantDecay: boundaries must rise, got {}", fmt::join(boundaries, ", "));
}

ExponentialDecay::ExponentialDecay(const ExponentialDecayOptions& o)
    : Schedule([o](std::int64_t step) {
          const double exponent = ratio(step, o.decay_steps);
          return o.initial_learning_rate * std::pow(o.decay_rate, o.staircase ? std::floor(exponent) : exponent);
      }) {
    check(o.decay_steps > 0, "ExponentialDecay: decay_steps must be positive, got {}", o.decay_steps);
}

LinearDecay::LinearDecay(const LinearDecayOptions& o)
    : Schedule([o](std::int64_t step) {
          const double progress = std::min(ratio(step, o.decay_steps), 1.0);
          return o.initial_learning_rate + progress * (o.end_learning_rate - o.initial_learning_rate);
      }) {
    check(o.decay_steps > 0, "LinearDecay: decay_steps must be positive, got {}", o.decay_steps);
}

CosineDecay::CosineDecay(const CosineDecayOptions& o)
    : Schedule([o](std::int64_t step) {
          if (step < o.warmup_steps) return o.initial_learning_rate * ratio(step, o.warmup_steps);
          const double left = cosine(ratio(step - o.warmup_steps, o.decay_steps));
          return o.initial_learning_rate * (o.alpha + (1 - o.alpha) * left);
      }) {
    check(o.decay_steps > 0, "CosineDecay: decay_steps must be positive, got {}", o.decay_steps);
    check(o.warmup_steps >= 0, "CosineDecay: warmup_steps must not be negative, got {}", o.warmup_steps);
}

CosineDecayRestarts::CosineDecayRestarts(const CosineDecayRestartsOptions& o)
    : Schedule([o](std::int64_t step) {
          double position = static_cast<double>(step), period = static_cast<double>(o.first_decay_steps), top = 1;
          while (position >= period) {
              position -= period;
              period *= o.t_mul;
              top *= o.m_mul;
          }
          return o.initial_learning_rate * (o.alpha + (top - o.alpha) * cosine(position / period));
      }) {
    check(o.first_decay_steps > 0, "CosineDecayRestarts: first_decay_steps must be positive, got {}",
          o.first_decay_steps);
    check(o.t_mul >= 1, "CosineDecayRestarts: t_mul must be at least 1, got {}", o.t_mul);
}

OneCycle::OneCycle(const OneCycleOptions& o)
    : Schedule([o](std::int64_t step) {
          const double first = o.max_learning_rate / o.initial_divisor, last = first / o.final_divisor;
          const double top = o.start_fraction * static_cast<double>(o.total_steps) - 1;
          const double position = static_cast<double>(step), end = static_cast<double>(o.total_steps - 1);
          if (position <= top && top > 0)
              return o.max_learning_rate + (first - o.max_learning_rate) * cosine(position / top);
          return last + (o.max_learning_rate - last) * cosine((position - top) / (end - top));
      }) {
    check(o.total_steps > 1, "OneCycle: total_steps must be more than 1, got {}", o.total_steps);
    check(o.start_fraction >= 0 && o.start_fraction < 1, "OneCycle: start_fraction must be in [0, 1), got {}",
          o.start_fraction);
}

Warmup::Warmup(std::int64_t steps, Schedule then, double start)
    : Schedule([steps, then, start](std::int64_t step) {
          if (step >= steps) return then.at(step - steps);
          return start + (then.at(0) - start) * ratio(step, steps);
      }) {
    check(steps >= 0, "Warmup: steps must not be negative, got {}", steps);
}

}  // namespace heddle
