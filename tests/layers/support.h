#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "heddle.h"

// What tests of layers share.
namespace heddle::layer_tests {

inline std::string error_of(const std::function<void()>& body) {
    try {
        body();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

/// Uniform in -1 .. 1, the same every time.
inline Tensor values(const Shape& shape, DType dtype = DType::f32, std::uint64_t seed = 1) {
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
        const Philox::Block block = Philox::block(seed, 0, static_cast<std::uint64_t>(i));
        numbers.push_back(2.0 * Philox::uniform(block.word[0]) - 1);
    }
    return Tensor::from(numbers, shape).to(dtype);
}

inline std::vector<double> numbers(const Tensor& tensor) { return tensor.to_vector<double>(); }

/// The Frobenius norm of the difference over that of `expected`.
inline double relative_error(const Tensor& got, const Tensor& expected) {
    if (got.shape() != expected.shape()) return INFINITY;
    const std::vector<double> a = numbers(got), b = numbers(expected);
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return std::sqrt(difference) / std::max(std::sqrt(norm), 1e-30);
}

/// Turns parameters and buffers into f64, for gradient checks: every holder of a handle sees it.
inline void make_f64(const Layer& layer) {
    const auto turn = [](const Tensor& tensor) {
        if (tensor.dtype() == DType::f64) return;
        const Tensor wide = tensor.detach().to(DType::f64);
        tensor.impl()->storage = wide.impl()->storage;
        tensor.impl()->byte_offset = wide.impl()->byte_offset;
        tensor.impl()->dtype = DType::f64;
    };
    for (const auto& [name, tensor] : layer.parameters()) turn(tensor);
    for (const auto& [name, tensor] : layer.buffers()) turn(tensor);
}

/// Fills parameters with values that depend on their names' order, so that none is zero or one.
inline void fill_parameters(const Layer& layer) {
    std::uint64_t seed = 100;
    for (const auto& [name, tensor] : layer.parameters())
        tensor.copy_(values(tensor.shape(), tensor.dtype(), ++seed) * 0.5);
}

inline std::vector<std::string> names(const NamedTensors& tensors) {
    std::vector<std::string> result;
    for (const auto& [name, tensor] : tensors) result.push_back(name);
    return result;
}

}  // namespace heddle::layer_tests
