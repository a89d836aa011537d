#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/check.h"
#include "core/config.h"
#include "train/schedule.h"

// How the settings of schedules, optimizers, losses and metrics go into saved models and come back. The fields of a
// struct of options are listed once for both ways, in namespace heddle:
//
//     template <class Visit>
//     void each_setting(StepDecayOptions& o, Visit& visit) {
//         visit("step_size", o.step_size);
//     }
namespace heddle::detail {

/// The member that says whose settings they are.
inline constexpr const char* class_key = "class";

/// Makes a Config of fields; of none where one of them has no text form (a function, infinity).
class SettingsWriter {
  public:
    explicit SettingsWriter(const char* class_name) { config_.set(class_key, class_name); }

    template <class T>
    void operator()(const char* name, const T& value) {
        if constexpr (std::is_floating_point_v<T>) {
            complete_ = complete_ && std::isfinite(value);
            config_.set(name, static_cast<double>(value));
        } else {
            config_.set(name, value);
        }
    }
    void operator()(const char* name, const Schedule& value) {
        const std::optional<Config> schedule = value.config();
        complete_ = complete_ && schedule;
        if (schedule) config_.set(name, *schedule);
    }
    template <class T>
    void operator()(const char* name, const std::optional<T>& value) {
        if (value) (*this)(name, *value);
    }
    template <class T>
    void operator()(const char* name, const std::vector<T>& value) {
        config_.set(name, Config::Array(value.begin(), value.end()));
    }
    template <std::size_t count>
    void operator()(const char* name, const std::array<double, count>& value) {
        config_.set(name, Config::Array(value.begin(), value.end()));
    }

    std::optional<Config> config() const { return complete_ ? std::optional(config_) : std::nullopt; }

  private:
    Config config_;
    bool complete_ = true;
};

/// Sets the fields that a Config has; the others keep what they are.
class SettingsReader {
  public:
    explicit SettingsReader(const Config& config) : config_(config) {}

    template <class T>
    void operator()(const char* name, T& value) {
        known_.emplace_back(name);
        if (config_.has(name)) read(config_.at(name), value);
    }
    /// Throws `Error` where there is a setting that nobody asked for: a newer version's, which must not be overlooked.
    void finish() const {
        for (const auto& [name, value] : config_.object())
            check(name == class_key || std::find(known_.begin(), known_.end(), name) != known_.end(),
                  "{} has no setting \"{}\"", config_.at(class_key).string(), name);
    }

  private:
    static void read(const Config& from, bool& to) { to = from.boolean(); }
    static void read(const Config& from, std::string& to) { to = from.string(); }
    static void read(const Config& from, Schedule& to) { to = Schedule::from_config(from); }
    template <class T>
    requires std::is_integral_v<T>
    static void read(const Config& from, T& to) { to = static_cast<T>(from.integer()); }
    template <class T>
    requires std::is_floating_point_v<T>
    static void read(const Config& from, T& to) { to = static_cast<T>(from.number()); }
    template <class T>
    static void read(const Config& from, std::optional<T>& to) {
        read(from, to.emplace());
    }
    template <class T>
    static void read(const Config& from, std::vector<T>& to) {
        to.clear();
        for (const Config& value : from.array()) read(value, to.emplace_back());
    }
    template <std::size_t count>
    static void read(const Config& from, std::array<double, count>& to) {
        check(from.array().size() == count, "expected {} numbers, got {}", count, from.array().size());
        for (std::size_t i = 0; i < count; ++i) to[i] = from.array()[i].number();
    }

    const Config& config_;
    std::vector<std::string> known_;
};

template <class Options>
std::optional<Config> settings_of(const char* class_name, Options options) {
    SettingsWriter writer(class_name);
    each_setting(options, writer);
    return writer.config();
}

template <class Options>
Options read_settings(const Config& config) {
    Options options;
    SettingsReader reader(config);
    each_setting(options, reader);
    reader.finish();
    return options;
}

/// Of what has no settings.
struct NoSettings {};
template <class Visit>
void each_setting(NoSettings&, Visit&) {}

}  // namespace heddle::detail
