#include "data/features.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace heddle {

Tensor to_categorical(const Tensor& labels, std::int64_t num_classes) {
    check(labels.defined() && !is_floating(labels.dtype()), "to_categorical: expected integer labels, got {}", labels);
    check(num_classes >= 0, "to_categorical: num_classes must not be negative, got {}", num_classes);
    check(labels.rank() < Shape::max_rank, "to_categorical: labels {} leave no room for the classes", labels.shape());
    const std::vector<std::int64_t> values = labels.to_vector<std::int64_t>();
    if (num_classes == 0)
        for (const std::int64_t label : values) num_classes = std::max(num_classes, label + 1);
    Shape shape = labels.shape();
    shape.push_back(num_classes);
    std::vector<float> rows(values.size() * static_cast<std::size_t>(num_classes));
    for (std::size_t i = 0; i < values.size(); ++i) {
        check(values[i] >= 0 && values[i] < num_classes, "to_categorical: label {} (element {}) is outside 0 .. {}",
              values[i], i, num_classes - 1);
        rows[i * static_cast<std::size_t>(num_classes) + static_cast<std::size_t>(values[i])] = 1;
    }
    return Tensor::from(rows, shape);
}

FeatureScaling FeatureScaling::of(const Tensor& x) {
    check(x.defined() && is_floating(x.dtype()) && x.rank() >= 1 && x.elements() > 0,
          "FeatureScaling: expected floating numbers [..., features], got {}", x);
    const std::vector<double> values = x.to_vector<double>();
    const auto features = static_cast<std::size_t>(x.shape().back());
    const double rows = static_cast<double>(values.size() / features);
    FeatureScaling scaling{std::vector<double>(features), std::vector<double>(features)};
    for (std::size_t i = 0; i < values.size(); ++i) scaling.mean[i % features] += values[i] / rows;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double difference = values[i] - scaling.mean[i % features];
        scaling.deviation[i % features] += difference * difference / rows;
    }
    for (std::size_t feature = 0; feature < features; ++feature) {
        double& deviation = scaling.deviation[feature];
        deviation = std::sqrt(deviation);
        check(std::isfinite(deviation), "FeatureScaling: feature {} has values that are not finite", feature);
        // A constant feature may show a tiny deviation through rounding.
        if (deviation <= 1e-12 * std::abs(scaling.mean[feature])) deviation = 1;
    }
    return scaling;
}

namespace {

template <class Function>
Tensor each_feature(const char* name, const FeatureScaling& scaling, const Tensor& x, const Function& function) {
    check(x.defined() && x.rank() >= 1 && x.shape().back() == static_cast<std::int64_t>(scaling.mean.size()),
          "{}: expected numbers [..., {}], got {}", name, scaling.mean.size(), x);
    const std::vector<double> values = x.to_vector<double>();
    std::vector<float> results(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t feature = i % scaling.mean.size();
        results[i] = static_cast<float>(function(values[i], scaling.mean[feature], scaling.deviation[feature]));
    }
    return Tensor::from(results, x.shape());
}

}  // namespace

Tensor FeatureScaling::apply(const Tensor& x) const {
    return each_feature("FeatureScaling::apply", *this, x,
                        [](double value, double m, double d) { return (value - m) / d; });
}

Tensor FeatureScaling::invert(const Tensor& x) const {
    return each_feature("FeatureScaling::invert", *this, x,
                        [](double value, double m, double d) { return value * d + m; });
}

FeatureScaling FeatureScaling::feature(std::int64_t index) const {
    check(index >= 0 && index < static_cast<std::int64_t>(mean.size()), "FeatureScaling: feature {} of {}", index,
          mean.size());
    const auto i = static_cast<std::size_t>(index);
    return {{mean[i]}, {deviation[i]}};
}

}  // namespace heddle
