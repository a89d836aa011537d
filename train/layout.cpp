#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "layers/containers.h"
#include "train/detail/layout.h"

namespace heddle::detail {
namespace {

/// What matters for layouts about a value between layers.
struct Value {
    /// The former shape of flattened pictures [height, width, channels] or sequences [time, features].
    std::optional<Shape> flattened = {};
    /// A sequence whose features are last in PyTorch too: made by Embedding or Dense there, not by Conv1d.
    bool features_last = false;
};

class Walk {
  public:
    std::map<std::string, DiskLayout> layouts;

    /// Follows values through a layer; `path` is led before the names of its weights.
    std::vector<Value> enter(const Layer& layer, const std::string& path, std::vector<Value> values) {
        if (layer->children().empty()) return {leaf(layer, path, values)};
        const auto child = [&](std::size_t index, std::vector<Value> inputs) {
            const auto& [name, inner] = layer->children()[index];
            return enter(inner, path + name + ".", std::move(inputs));
        };
        const std::vector<GraphCall> calls = graph_calls(layer);
        if (calls.empty()) {
            for (std::size_t i = 0; i < layer->children().size(); ++i) values = child(i, values);
            return values;
        }
        for (const GraphCall& call : calls) {
            std::vector<Value> inputs;
            for (const std::size_t input : call.inputs) inputs.push_back(values.at(input));
            std::vector<Value> outputs = child(call.child, inputs);
            outputs.resize(call.outputs);
            values.insert(values.end(), outputs.begin(), outputs.end());
        }
        std::vector<Value> results;
        for (const std::size_t result : graph_results(layer)) results.push_back(values.at(result));
        return results;
    }

  private:
    Value leaf(const Layer& layer, const std::string& path, const std::vector<Value>& values) {
        const std::string_view kind = layer->class_name();
        const std::vector<Shape>& inputs = layer->built_for();
        if (inputs.empty()) return {};
        const bool features_last = !values.empty() && values[0].features_last;
        if (kind == "Flatten" && flattens_pictures(inputs[0]) && !(features_last && inputs[0].rank() == 2))
            return {.flattened = inputs[0]};
        if (layer->convolves()) {
            add_convolution(layer, path);
            return {};
        }
        const bool same = !values.empty() && std::all_of(values.begin(), values.end(), [&](const Value& value) {
            const std::optional<Shape>& flattened = value.flattened;
            return flattened && flattened == values[0].flattened && inputs[0] == Shape{flattened->elements()};
        });
        if (kind == "Dense" || kind == "Embedding" || recurrent(kind)) {
            if (same && kind == "Dense") add(layer->own_parameters(), path, 2, *values[0].flattened);
            return {.features_last = true};
        }
        if (layer->output_shapes(inputs) != std::vector<Shape>{inputs[0]}) return {};
        if (!same) return {.features_last = features_last};
        // An activation, a Dropout, a sum; or a normalisation, whose parameters lie like its input.
        add(layer->own_parameters(), path, 1, *values[0].flattened);
        add(layer->own_buffers(), path, 1, *values[0].flattened);
        return values[0];
    }

    static bool recurrent(std::string_view kind) {
        return kind == "SimpleRNN" || kind == "LSTM" || kind == "GRU" || kind == "Bidirectional";
    }

    static bool flattens_pictures(const Shape& shape) {
        return shape.rank() >= 2 && shape.back() > 1 && shape.elements() > shape.back();
    }

    /// Weights of this rank whose last extent is that of a flattened picture.
    void add(const NamedTensors& tensors, const std::string& path, int rank, const Shape& picture) {
        const std::int64_t size = picture.elements(), channels = picture.back();
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
    walk.enter(layer, "", std::vector<Value>(layer->built_for().size()));
    return walk.layouts;
}

Tensor to_disk(const Tensor& weight, const DiskLayout& layout) {
    return swapped(weight, layout.rows, layout.spatial, layout.channels, layout.shape);
}

Tensor from_disk(const Tensor& stored, const DiskLayout& layout, const Shape& shape) {
    return swapped(stored, layout.rows, layout.channels, layout.spatial, shape);
}

}  // namespace heddle::detail
