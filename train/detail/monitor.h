#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/check.h"
#include "train/callback.h"

// Private to train/: what the callbacks that watch a value have in common.
namespace heddle {

/// Whether larger values of the monitored name are better.
inline bool larger_is_better(const std::string& name, Monitor::Mode mode) {
    if (mode != Monitor::Mode::automatic) return mode == Monitor::Mode::max;
    for (const char* part : {"acc", "auc", "f1", "precision", "recall", "top_k"})
        if (name.find(part) != std::string::npos) return true;
    return false;
}

/// The best value so far of one name in the logs.
class Best {
  public:
    Best(std::string name, Monitor::Mode mode, double min_delta)
        : name_(std::move(name)), larger_(larger_is_better(name_, mode)), min_delta_(std::abs(min_delta)) {
        reset();
    }

    void reset() { value_ = larger_ ? -infinity : infinity; }
    /// Throws `Error` naming the callback where the epochs' logs will have no such value.
    void require(const char* callback, const Training& training) const {
        const std::vector<std::string>& names = training.names;
        const bool there = names.empty() || std::find(names.begin(), names.end(), name_) != names.end();
        check(there, "{}", missing(callback, fmt::format("{}", fmt::join(names, ", "))));
    }

    /// True where the logs' value is better than all before by more than `min_delta`; it is the best from then on.
    /// Throws `Error` naming the callback where the logs have no such value.
    bool improves(const char* callback, const Result& logs) {
        check(logs.has(name_), "{}", missing(callback, logs.to_string()));
        const double value = logs.at(name_);
        if (larger_ ? value - min_delta_ > value_ : value + min_delta_ < value_) {
            value_ = value;
            return true;
        }
        return false;
    }

    double value() const { return value_; }
    void set_value(double value) { value_ = value; }
    const std::string& name() const { return name_; }

  private:
    std::string missing(const char* callback, const std::string& present) const {
        return fmt::format("{}: there is no \"{}\" to monitor{}; there are: {}", callback, name_,
                           name_.starts_with("val_") ? " (fit was given no validation data)" : "", present);
    }

    static constexpr double infinity = std::numeric_limits<double>::infinity();
    std::string name_;
    bool larger_;
    double min_delta_;
    double value_ = 0;
};

/// A number as the state of a callback.
inline Tensor state_of(double value) { return Tensor::from({value}, Shape{}); }
inline double number_in(const NamedTensors& state, const std::string& name) {
    for (const auto& [key, tensor] : state)
        if (key == name) return tensor.item();
    fail(fmt::format("the saved state of a callback has no \"{}\": resume with the callbacks of the first run", name));
}

}  // namespace heddle
