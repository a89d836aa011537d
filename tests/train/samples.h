#pragma once

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "heddle.h"

// Small data sets and what tests of training share.
namespace heddle::samples {

/// y = 3 x0 - 2 x1 + 0.5 on [N, 2].
inline std::pair<Tensor, Tensor> plane(std::int64_t count) {
    Generator generator(11);
    std::vector<float> x, y;
    for (std::int64_t i = 0; i < count; ++i) {
        const float a = static_cast<float>(generator.below(2001)) / 1000 - 1;
        const float b = static_cast<float>(generator.below(2001)) / 1000 - 1;
        x.insert(x.end(), {a, b});
        y.push_back(3 * a - 2 * b + 0.5f);
    }
    return {Tensor::from(x, Shape{count, 2}), Tensor::from(y, Shape{count, 1})};
}

/// Two half moons that interlock: [N, 2] points and labels i64 [N].
inline std::pair<Tensor, Tensor> moons(std::int64_t count) {
    Generator generator(5);
    std::vector<float> x;
    std::vector<std::int64_t> y;
    for (std::int64_t i = 0; i < count; ++i) {
        const double angle = 3.14159265 * static_cast<double>(generator.below(1000)) / 1000;
        const double noise = static_cast<double>(generator.below(1000)) / 1000 * 0.2 - 0.1;
        const bool upper = i % 2 == 0;
        x.push_back(static_cast<float>((upper ? std::cos(angle) : 1 - std::cos(angle)) + noise));
        x.push_back(static_cast<float>((upper ? std::sin(angle) : 0.5 - std::sin(angle)) + noise));
        y.push_back(upper ? 0 : 1);
    }
    return {Tensor::from(x, Shape{count, 2}), Tensor::from(y, Shape{count})};
}

/// Pictures u8 [N, 8, 8, 3] whose class (of three) is the brightest channel.
inline ImageDataset pictures(std::int64_t count) {
    Generator generator(3);
    std::vector<std::uint8_t> pixels;
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < count; ++i) {
        labels.push_back(static_cast<std::int64_t>(generator.below(3)));
        for (int pixel = 0; pixel < 64; ++pixel)
            for (int channel = 0; channel < 3; ++channel)
                pixels.push_back(
                    static_cast<std::uint8_t>(generator.below(128) + (channel == labels.back() ? 100 : 0)));
    }
    return ImageDataset(
        Tensor::from(pixels, Shape{count, 8, 8, 3}), Tensor::from(labels, Shape{count}),
        {.class_names = {"red", "green", "blue"}, .mean = {0.4f, 0.4f, 0.4f}, .deviation = {0.2f, 0.2f, 0.2f}});
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
    return a.shape() == b.shape() && a.dtype() == b.dtype() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

/// The names of the tensors that differ.
inline std::string differing(const NamedTensors& a, const NamedTensors& b) {
    if (a.size() != b.size()) return "the number of tensors";
    std::string names;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i].first != b[i].first || !same_bits(a[i].second, b[i].second)) names += a[i].first + " ";
    return names;
}

inline NamedTensors all_tensors(const Model& model) {
    NamedTensors all = model.parameters();
    for (const auto& buffer : model.buffers()) all.push_back(buffer);
    for (const auto& state : model.optimizer().state()) all.push_back(state);
    return all;
}

inline std::string error_of(const std::function<void()>& body) {
    try {
        body();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

/// An empty folder of the test's own.
inline std::string folder(const std::string& name) {
    const std::filesystem::path path = std::filesystem::temp_directory_path() / ("heddle_train_" + name);
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    return path.string();
}

}  // namespace heddle::samples
