#include "layers/initializer.h"

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/check.h"
#include "ops/random.h"

namespace heddle {
namespace {

constexpr std::array<std::string_view, 14> names = {
    "zeros",          "ones",          "constant",          "glorot_uniform", "glorot_normal",
    "he_uniform",     "he_normal",     "he_normal_fan_out", "lecun_uniform",  "lecun_normal",
    "fan_in_uniform", "random_normal", "random_uniform",    "orthogonal"};

// The standard deviation of a unit normal truncated at two deviations; Keras divides by it, and so do we.
constexpr double truncated_deviation = 0.87962566103423978;

/// A matrix [shape[0], the rest] whose rows, or columns where those are fewer, are orthonormal: normal random numbers
/// after the Gram-Schmidt process in double, applied twice to remove the rounding errors of the first pass.
Tensor orthogonal_matrix(const Shape& shape) {
    const std::int64_t height = shape.rank() > 0 ? shape[0] : 1,
                       width = shape.elements() / std::max<std::int64_t>(height, 1);
    const bool upright = height > width;
    const std::int64_t count = std::min(height, width), length = std::max(height, width);
    std::vector<double> rows = ops::random_normal(Shape{count, length}).to_vector<double>();
    const auto row = [&](std::int64_t i) { return rows.data() + i * length; };
    for (std::int64_t i = 0; i < count; ++i) {
        for (int pass = 0; pass < 2; ++pass)
            for (std::int64_t j = 0; j < i; ++j) {
                const double part = std::inner_product(row(i), row(i) + length, row(j), 0.0);
                for (std::int64_t k = 0; k < length; ++k) row(i)[k] -= part * row(j)[k];
            }
        const double norm = std::sqrt(std::inner_product(row(i), row(i) + length, row(i), 0.0));
        for (std::int64_t k = 0; k < length; ++k) row(i)[k] /= norm;
    }
    std::vector<float> values(rows.size());
    for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t k = 0; k < length; ++k)
            values[static_cast<std::size_t>(upright ? k * count + i : i * length + k)] = static_cast<float>(row(i)[k]);
    return Tensor::from(values, shape);
}

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
        case orthogonal:
            return orthogonal_matrix(shape);
    }
    return Tensor();
}

}  // namespace heddle
