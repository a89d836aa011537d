#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "core/check.h"
#include "train/detail/settings.h"

namespace heddle {

template <class Visit>
void each_setting(StepDecayOptions& o, Visit& visit) {
    visit("initial_learning_rate", o.initial_learning_rate);
    visit("step_size", o.step_size);
    visit("factor", o.factor);
}

template <class Visit>
void each_setting(ExponentialDecayOptions& o, Visit& visit) {
    visit("initial_learning_rate", o.initial_learning_rate);
    visit("decay_steps", o.decay_steps);
    visit("decay_rate", o.decay_rate);
    visit("staircase", o.staircase);
}

template <class Visit>
void each_setting(LinearDecayOptions& o, Visit& visit) {
    visit("initial_learning_rate", o.initial_learning_rate);
    visit("decay_steps", o.decay_steps);
    visit("end_learning_rate", o.end_learning_rate);
}

template <class Visit>
void each_setting(CosineDecayOptions& o, Visit& visit) {
    visit("initial_learning_rate", o.initial_learning_rate);
    visit("decay_steps", o.decay_steps);
    visit("alpha", o.alpha);
    visit("warmup_steps", o.warmup_steps);
}

template <class Visit>
void each_setting(CosineDecayRestartsOptions& o, Visit& visit) {
    visit("initial_learning_rate", o.initial_learning_rate);
    visit("first_decay_steps", o.first_decay_steps);
    visit("t_mul", o.t_mul);
    visit("m_mul", o.m_mul);
    visit("alpha", o.alpha);
}

template <class Visit>
void each_setting(OneCycleOptions& o, Visit& visit) {
    visit("max_learning_rate", o.max_learning_rate);
    visit("total_steps", o.total_steps);
    visit("start_fraction", o.start_fraction);
    visit("initial_divisor", o.initial_divisor);
    visit("final_divisor", o.final_divisor);
}

/// What the schedules without a struct of options are made of.
struct PiecewiseSettings {
    std::vector<std::int64_t> boundaries = {};
    std::vector<double> values = {};
};
template <class Visit>
void each_setting(PiecewiseSettings& o, Visit& visit) {
    visit("boundaries", o.boundaries);
    visit("values", o.values);
}

struct WarmupSettings {
    std::int64_t steps = 0;
    Schedule then = 0;
    double start = 0;
};
template <class Visit>
void each_setting(WarmupSettings& o, Visit& visit) {
    visit("steps", o.steps);
    visit("then", o.then);
    visit("start", o.start);
}

namespace {

using detail::read_settings;
using detail::settings_of;

double ratio(std::int64_t step, std::int64_t steps) { return static_cast<double>(step) / static_cast<double>(steps); }

/// From 1 at 0 to 0 at 1.
double cosine(double progress) { return 0.5 * (1 + std::cos(std::numbers::pi * std::min(progress, 1.0))); }

}  // namespace

StepDecay::StepDecay(const StepDecayOptions& o)
    : Schedule(
          [o](std::int64_t step) {
              return o.initial_learning_rate * std::pow(o.factor, static_cast<double>(step / o.step_size));
          },
          settings_of("StepDecay", o)) {
    check(o.step_size > 0, "StepDecay: step_size must be positive, got {}", o.step_size);
}

PiecewiseConstantDecay::PiecewiseConstantDecay(std::vector<std::int64_t> boundaries, std::vector<double> values)
    : Schedule(
          [boundaries, values](std::int64_t step) {
              const auto place = std::lower_bound(boundaries.begin(), boundaries.end(), step);
              return values[static_cast<std::size_t>(place - boundaries.begin())];
          },
          settings_of("PiecewiseConstantDecay", PiecewiseSettings{boundaries, values})) {
    check(values.size() == boundaries.size() + 1, "PiecewiseConstantDecay: {} boundaries need {} values, got {}",
          boundaries.size(), boundaries.size() + 1, values.size());
    check(std::adjacent_find(boundaries.begin(), boundaries.end(), std::greater_equal<>()) == boundaries.end(),
          "PiecewiseConstantDecay: boundaries must rise, got {}", fmt::join(boundaries, ", "));
}

ExponentialDecay::ExponentialDecay(const ExponentialDecayOptions& o)
    : Schedule(
          [o](std::int64_t step) {
              const double exponent = ratio(step, o.decay_steps);
              return o.initial_learning_rate * std::pow(o.decay_rate, o.staircase ? std::floor(exponent) : exponent);
          },
          settings_of("ExponentialDecay", o)) {
    check(o.decay_steps > 0, "ExponentialDecay: decay_steps must be positive, got {}", o.decay_steps);
}

LinearDecay::LinearDecay(const LinearDecayOptions& o)
    : Schedule(
          [o](std::int64_t step) {
              const double progress = std::min(ratio(step, o.decay_steps), 1.0);
              return o.initial_learning_rate + progress * (o.end_learning_rate - o.initial_learning_rate);
          },
          settings_of("LinearDecay", o)) {
    check(o.decay_steps > 0, "LinearDecay: decay_steps must be positive, got {}", o.decay_steps);
}

CosineDecay::CosineDecay(const CosineDecayOptions& o)
    : Schedule(
          [o](std::int64_t step) {
              if (step < o.warmup_steps) return o.initial_learning_rate * ratio(step, o.warmup_steps);
              const double left = cosine(ratio(step - o.warmup_steps, o.decay_steps));
              return o.initial_learning_rate * (o.alpha + (1 - o.alpha) * left);
          },
          settings_of("CosineDecay", o)) {
    check(o.decay_steps > 0, "CosineDecay: decay_steps must be positive, got {}", o.decay_steps);
    check(o.warmup_steps >= 0, "CosineDecay: warmup_steps must not be negative, got {}", o.warmup_steps);
}

CosineDecayRestarts::CosineDecayRestarts(const CosineDecayRestartsOptions& o)
    : Schedule(
          [o](std::int64_t step) {
              double position = static_cast<double>(step), period = static_cast<double>(o.first_decay_steps), top = 1;
              while (position >= period) {
                  position -= period;
                  period *= o.t_mul;
                  top *= o.m_mul;
              }
              return o.initial_learning_rate * (o.alpha + (1 - o.alpha) * top * cosine(position / period));
          },
          settings_of("CosineDecayRestarts", o)) {
    check(o.first_decay_steps > 0, "CosineDecayRestarts: first_decay_steps must be positive, got {}",
          o.first_decay_steps);
    check(o.t_mul >= 1, "CosineDecayRestarts: t_mul must be at least 1, got {}", o.t_mul);
}

OneCycle::OneCycle(const OneCycleOptions& o)
    : Schedule(
          [o](std::int64_t step) {
              const double first = o.max_learning_rate / o.initial_divisor, last = first / o.final_divisor;
              const double top = o.start_fraction * static_cast<double>(o.total_steps) - 1;
              const double position = static_cast<double>(step), end = static_cast<double>(o.total_steps - 1);
              if (position <= top && top > 0)
                  return o.max_learning_rate + (first - o.max_learning_rate) * cosine(position / top);
              return last + (o.max_learning_rate - last) * cosine((position - top) / (end - top));
          },
          settings_of("OneCycle", o)) {
    check(o.total_steps > 1, "OneCycle: total_steps must be more than 1, got {}", o.total_steps);
    check(o.start_fraction >= 0 && o.start_fraction < 1, "OneCycle: start_fraction must be in [0, 1), got {}",
          o.start_fraction);
}

Warmup::Warmup(std::int64_t steps, Schedule then, double start)
    : Schedule(
          [steps, then, start](std::int64_t step) {
              if (step >= steps) return then.at(step - steps);
              return start + (then.at(0) - start) * ratio(step, steps);
          },
          settings_of("Warmup", WarmupSettings{steps, then, start})) {
    check(steps >= 0, "Warmup: steps must not be negative, got {}", steps);
}

Schedule Schedule::from_config(const Config& config) {
    if (config.is_number()) return config.number();
    const std::string& name = config.at(detail::class_key).string();
    if (name == "StepDecay") return StepDecay(read_settings<StepDecayOptions>(config));
    if (name == "ExponentialDecay") return ExponentialDecay(read_settings<ExponentialDecayOptions>(config));
    if (name == "LinearDecay") return LinearDecay(read_settings<LinearDecayOptions>(config));
    if (name == "CosineDecay") return CosineDecay(read_settings<CosineDecayOptions>(config));
    if (name == "CosineDecayRestarts") return CosineDecayRestarts(read_settings<CosineDecayRestartsOptions>(config));
    if (name == "OneCycle") return OneCycle(read_settings<OneCycleOptions>(config));
    if (name == "PiecewiseConstantDecay") {
        const auto o = read_settings<PiecewiseSettings>(config);
        return PiecewiseConstantDecay(o.boundaries, o.values);
    }
    if (name == "Warmup") {
        const auto o = read_settings<WarmupSettings>(config);
        return Warmup(o.steps, o.then, o.start);
    }
    fail(fmt::format("no schedule is called \"{}\"", name));
}

}  // namespace heddle
