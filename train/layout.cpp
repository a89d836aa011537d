#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "layers/containers.h"
#include "train/detail/layout.h"

namespace heddle::detail {
namespace {

/// What a value between layers is, as far as layouts care: pictures [height, width, channels] made flat, or anything.
using Flattened = std::optional<Shape>;

class Walk {
  public:
    std::map<std::string, DiskLayout> layouts;

    /// Follows values through a layer; `path` is led before the names of its weights.
    std::vector<Flattened> enter(const Layer& layer, const std::string& path, std::vector<Flattened> values) {
        if (layer->children().empty()) return {leaf(layer, path, values)};
        const auto child = [&](std::size_t index, std::vector<Flattened> inputs) {
            const auto& [name, inner] = layer->children()[index];
            return enter(inner, path + name + ".", std::move(inputs));
        };
        const std::vector<GraphCall> calls = graph_calls(layer);
        if (calls.empty()) {
            for (std::size_t i = 0; i < layer->children().size(); ++i) values = child(i, values);
            return values;
        }
        for (const GraphCall& call : calls) {
            std::vector<Flattened> inputs;
            for (const std::size_t input : call.inputs) inputs.push_back(values.at(input));
            std::vector<Flattened> outputs = child(call.child, inputs);
            outputs.resize(call.outputs);
            values.insert(values.end(), outputs.begin(), outputs.end());
        }
        std::vector<Flattened> results;
        for (const std::size_t result : graph_results(layer)) results.push_back(values.at(result));
        return results;
    }

  private:
    Flattened leaf(const Layer& layer, const std::string& path, const std::vector<Flattened>& values) {
        const std::string_view kind = layer->class_name();
        const std::vector<Shape>& inputs = layer->built_for();
        if (inputs.empty()) return {};
        if (kind == "Flatten" && flattens_pictures(inputs[0])) return inputs[0];
        if (layer->convolves()) add_convolution(layer, path);
        const bool same = !values.empty() && std::all_of(values.begin(), values.end(), [&](const Flattened& value) {
            return value && value == values[0] && inputs[0] == Shape{value->elements()};
        });
        if (!same) return {};
        if (kind == "Dense") {
            add(layer->own_parameters(), path, 2, values[0]);
            return {};
        }
        if (layer->output_shapes(inputs) != std::vector<Shape>{inputs[0]}) return {};
        // An activation, a Dropout, a sum; or a normalisation, whose parameters lie like its input.
        add(layer->own_parameters(), path, 1, values[0]);
        add(layer->own_buffers(), path, 1, values[0]);
        return values[0];
    }

    static bool flattens_pictures(const Shape& shape) {
        return shape.rank() >= 2 && shape.back() > 1 && shape.elements() > shape.back();
    }

    /// Weights of this rank whose last extent is that of a flattened picture.
    void add(const NamedTensors& tensors, const std::string& path, int rank, const Flattened& picture) {
        const std::int64_t size = picture->elements(), channels = picture->back();
        for (const auto& [name, tensor] : tensors)
            if (tensor.rank() == rank && tensor.shape().back() == size)
                layouts[path + name] = {tensor.elements() / size, size / channels, channels, tensor.shape()};
    }

    void add_convolution(const Layer& layer, const std::string& path) {
        for (const auto& [name, tensor] : layer->own_parameters()) {
            if (tensor.rank() < 3) continue;
            const Shape& here = tensor.shape();
            Shape there{here[0], here.back()};
            for (int axis = 1; axis + 1 < here.rank(); ++axis) there.push_back(here[axis]);
            layouts[path + name] = {here[0], here.elements(1, here.rank() - 1), here.back(), there};
        }
    }
};

/// [rows, a, b] becomes [rows, b, a].
Tensor swapped(const Tensor& tensor, std::int64_t rows, std::int64_t a, std::int64_t b, const Shape& shape) {
    const Tensor from = tensor.to(Device::cpu()), to = Tensor::empty(shape, {tensor.dtype(), Device::cpu()});
    const std::size_t size = size_of(tensor.dtype());
    const auto* source = static_cast<const std::byte*>(from.raw());
    auto* target = static_cast<std::byte*>(to.raw());
    for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t j = 0; j < b; ++j)
            for (std::int64_t i = 0; i < a; ++i, target += size)
                std::memcpy(target, source + static_cast<std::size_t>((row * a + i) * b + j) * size, size);
    return to;
}

}  // namespace

std::map<std::string, DiskLayout> disk_layouts(const Layer& layer) {
    Walk walk;
    walk.enter(layer, "", std::vector<Flattened>(layer->built_for().size()));
    return walk.layouts;
}

Tensor to_disk(const Tensor& weight, const DiskLayout& layout) {
    return swapped(weight, layout.rows, layout.spatial, layout.channels, layout.shape);
}

Tensor from_disk(const Tensor& stored, const DiskLayout& layout, const Shape& shape) {
    return swapped(stored, layout.rows, layout.channels, layout.spatial, shape);
}

}  // namespace heddle::detail
