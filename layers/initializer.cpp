#include "layers/initializer.h"

#include <array>
#include <cmath>

#include "core/check.h"
#include "ops/random.h"

namespace heddle {
namespace {

constexpr std::array<std::string_view, 13> names = {
    "zeros",          "ones",          "constant",          "glorot_uniform", "glorot_normal",
    "he_uniform",     "he_normal",     "he_normal_fan_out", "lecun_uniform",  "lecun_normal",
    "fan_in_uniform", "random_normal", "random_uniform"};

// The deviation of a normal cut at two deviations is this much smaller than that of the whole; Keras makes up for it.
constexpr double truncated_deviation = 0.87962566103423978;

}  // namespace

Initializer::Initializer(const char* name) : Initializer(parse(name)) {}

std::string Initializer::name() const { return std::string(names[static_cast<std::size_t>(kind_)]); }

Initializer Initializer::parse(std::string_view name) {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == name) return static_cast<Kind>(i);
    fail(fmt::format("unknown initializer \"{}\": expected one of {}", name, fmt::join(names, ", ")));
}

Config Initializer::to_config() const {
    if (kind_ != constant && kind_ != random_normal && kind_ != random_uniform) return name();
    return Config().set("name", name()).set("value", value_);
}

Initializer Initializer::from_config(const Config& config) {
    if (config.is_string()) return parse(config.string());
    return Initializer(parse(config.at("name").string()).kind(), config.at("value").number());
}

Tensor Initializer::operator()(const Shape& shape, std::int64_t fan_in, std::int64_t fan_out) const {
    const double in = static_cast<double>(std::max<std::int64_t>(fan_in, 1));
    const double out = static_cast<double>(std::max<std::int64_t>(fan_out, 1));
    const auto uniform = [&](double bound) { return ops::random_uniform(shape, -bound, bound); };
    const auto truncated = [&](double variance) {
        return ops::random_truncated_normal(shape, 0, std::sqrt(variance) / truncated_deviation);
    };
    switch (kind_) {
        case zeros:
            return Tensor::zeros(shape);
        case ones:
            return Tensor::ones(shape);
        case constant:
            return Tensor::full(shape, value_);
        case glorot_uniform:
            return uniform(std::sqrt(6 / (in + out)));
        case glorot_normal:
            return truncated(2 / (in + out));
        case he_uniform:
            return uniform(std::sqrt(6 / in));
        case he_normal:
            return truncated(2 / in);
        case he_normal_fan_out:
            return ops::random_normal(shape, 0, std::sqrt(2 / out));
        case lecun_uniform:
            return uniform(std::sqrt(3 / in));
        case lecun_normal:
            return truncated(1 / in);
        case fan_in_uniform:
            return uniform(std::sqrt(1 / in));
        case random_normal:
            return ops::random_normal(shape, 0, value_);
        case random_uniform:
            return uniform(value_);
    }
    return Tensor();
}

}  // namespace heddle
