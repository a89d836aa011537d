#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/profile.h"
#include "core/random.h"
#include "core/tensor.h"
#include "kernels/table.h"
#include "ops/autograd/grad_mode.h"
#include "tests/evidence.h"

/// Gradients against central differences, in f64 (which the `reference` kernels compute).
namespace heddle::gradients {

using Inputs = std::vector<Tensor>;
using Function = std::function<Tensor(const Inputs&)>;

/// Numbers in [low, high), the same in every run; other seeds, other numbers.
inline Tensor uniform(const Shape& shape, double low = -1, double high = 1, std::uint64_t seed = 1) {
    Generator generator(seed);
    std::vector<double> values(static_cast<std::size_t>(shape.elements()));
    for (double& value : values) value = low + (high - low) * (static_cast<double>(generator.bits() >> 11) * 0x1p-53);
    return Tensor::from(values, shape);
}

/// All elements at least 1 / elements apart, and half that from 0, in random order over [-1, 1): no step of the check
/// crosses a kink of a maximum, an absolute value or ReLU.
inline Tensor spread(const Shape& shape, std::uint64_t seed = 1) {
    Generator generator(seed);
    const auto count = static_cast<std::size_t>(shape.elements());
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i)
        values[i] = (2 * static_cast<double>(i) + 1.5 - static_cast<double>(count)) / static_cast<double>(count);
    for (std::size_t i = count; i > 1; --i) std::swap(values[i - 1], values[generator.below(i)]);
    return Tensor::from(values, shape);
}

/// sum(weights * y), without operations of ours.
inline double weigh(const Tensor& y, const std::vector<double>& weights) {
    const std::vector<double> values = y.to_vector<double>();
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[i] * weights[i];
    return sum;
}

/// Every element of every floating input is moved in both directions, and the change of a randomly weighted sum of the
/// result is compared with the gradient; the weights ensure that every element of the result matters. Inputs are
/// changed and restored. If all agree, evidence is recorded for the kernels that the forward and backward pass ran.
inline void check_gradients(const std::string& what, Inputs inputs, const Function& function, double tolerance = 1e-6) {
    SCOPED_TRACE(what);
    for (Tensor& input : inputs) {
        if (!is_floating(input.dtype())) continue;
        ASSERT_EQ(input.dtype(), DType::f64);
        input = input.detach().clone();
        input.set_requires_grad();
    }
    set_profiling(true);
    const Tensor y = function(inputs);
    const Tensor weights = uniform(y.shape(), 0.5, 1.5, 77);
    y.backward(weights);
    set_profiling(false);
    std::vector<std::string> ran;
    for (const ProfileEntry& entry : profile()) ran.push_back(entry.name);

    const std::vector<double> factors = weights.to_vector<double>();
    bool agree = true;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
        if (!is_floating(inputs[k].dtype())) continue;
        ASSERT_TRUE(inputs[k].grad().defined()) << "input " << k << " has no gradient";
        ASSERT_EQ(inputs[k].grad().shape(), inputs[k].shape()) << "input " << k;
        const std::vector<double> gradient = inputs[k].grad().to_vector<double>();
        double squares = 0;
        for (const double value : gradient) squares += value * value;
        const double typical = std::sqrt(squares / std::max<double>(1, static_cast<double>(gradient.size())));
        auto* values = inputs[k].data<double>();
        for (std::size_t i = 0; i < gradient.size(); ++i) {
            // Rounding costs eps / step, the neglected third derivative step^2: both stay near 1e-10.
            const NoGrad no_grad;
            const double value = values[i], step = 1e-5 * std::max(1.0, std::abs(value));
            values[i] = value + step;
            const double above = weigh(function(inputs), factors);
            values[i] = value - step;
            const double below = weigh(function(inputs), factors);
            values[i] = value;
            const double difference = (above - below) / (2 * step);
            const double allowed = tolerance * std::max({std::abs(difference), typical, 1e-3});
            if (!(std::abs(difference - gradient[i]) <= allowed)) {
                ADD_FAILURE() << "input " << k << ", element " << i << ": gradient " << gradient[i]
                              << ", by differences " << difference;
                agree = false;
                break;
            }
        }
    }
    if (!agree) return;
    for (const KernelTableBase* table : kernel_tables())
        if (std::find(ran.begin(), ran.end(), table->operation()) != ran.end())
            record_evidence(table->operation(), "finite_differences");
}

}  // namespace heddle::gradients
