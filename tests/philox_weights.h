#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/random.h"
#include "data/files/safetensors.h"
#include "train/model.h"

/// Weights and batches that tests/torch_models.py computes too, from Philox, so that no file has to hold them.
namespace heddle::testing {

inline Philox::Block philox_block(std::string_view stream, std::int64_t index) {
    std::uint32_t offset = 2166136261u;  // FNV-1a
    for (const char c : stream) offset = (offset ^ static_cast<unsigned char>(c)) * 16777619u;
    return Philox::block(0, offset, static_cast<std::uint64_t>(index));
}

/// In -1 .. 1.
inline double philox_symmetric(std::string_view stream, std::int64_t index) {
    return static_cast<double>(philox_block(stream, index).word[0] >> 8) * 0x1p-23 - 1;
}

/// A weight under PyTorch's name and in its layout: He's uniform bound; scales and variances of norms in 0.5 .. 1.5,
/// all else in -0.1 .. 0.1.
inline Tensor philox_weight(const std::string& name, const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        double value = philox_symmetric(name, static_cast<std::int64_t>(i));
        if (shape.rank() > 1)
            value *= std::sqrt(6.0 / static_cast<double>(shape.elements(1, shape.rank())));
        else if (name.ends_with("weight") || name.ends_with("running_var"))
            value = value * 0.5 + 1;
        else
            value *= 0.1;
        values[i] = static_cast<float>(value);
    }
    return Tensor::from(values, shape);
}

/// Gives a built model such weights, and with `buffers` such running statistics, by way of a file as PyTorch would
/// write it in `folder`.
inline void load_philox_weights(const Model& model, const std::string& folder, bool buffers) {
    model.save_weights(folder + "/shapes.safetensors");
    NamedTensors tensors;
    for (const auto& [name, like] : load_safetensors(folder + "/shapes.safetensors").tensors) {
        const bool running = name.find("running") != std::string::npos;
        tensors.emplace_back(name, running && !buffers ? like : philox_weight(name, like.shape()));
    }
    save_safetensors(folder + "/philox.safetensors", tensors);
    model.load_weights(folder + "/philox.safetensors");
}

/// Pictures and labels of a step. PyTorch counts pixels in NCHW.
inline std::pair<Tensor, Tensor> philox_batch(std::int64_t step, std::int64_t size, const Shape& picture) {
    const std::int64_t height = picture[0], width = picture[1], channels = picture[2];
    std::vector<float> pixels(static_cast<std::size_t>(size * picture.elements()));
    std::vector<std::int64_t> labels;
    const std::string stream = std::string("x").append(std::to_string(step));
    std::int64_t index = 0;
    for (std::int64_t n = 0; n < size; ++n) {
        for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t h = 0; h < height; ++h)
                for (std::int64_t w = 0; w < width; ++w)
                    pixels[static_cast<std::size_t>(((n * height + h) * width + w) * channels + c)] =
                        static_cast<float>(philox_symmetric(stream, index++));
        labels.push_back(static_cast<std::int64_t>(
            philox_block(std::string("labels").append(std::to_string(step)), n).word[1] % 10));
    }
    return {Tensor::from(pixels, Shape{size, height, width, channels}), Tensor::from(labels, Shape{size})};
}

}  // namespace heddle::testing
