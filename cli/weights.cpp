#include "cli/weights.h"

#include <string_view>
#include <vector>

#include "core/check.h"
#include "data/files/safetensors.h"
#include "layers/activation.h"
#include "layers/containers.h"
#include "models/models.h"

namespace heddle::cli {

bool is_whole_model(const std::string& path) {
    const auto metadata = load_safetensors_metadata(path);
    const auto format = metadata.find("format");
    check(format == metadata.end() || !format->second.starts_with("heddle training checkpoint"),
          "{}: this is a training checkpoint; the trained model is the .safetensors file beside it that carries the "
          "model's name",
          path);
    return metadata.contains("heddle") && metadata.contains("config");
}

std::int64_t class_count(const Model& model) { return model->output_shapes(model.input_shapes()).front().back(); }

namespace {

/// Where a chain or a graph makes its first output; any other layer itself.
Layer last_layer(const Layer& layer) {
    const NamedLayers& children = layer->children();
    const std::vector<GraphCall> calls = graph_calls(layer);
    if (calls.empty()) {
        const bool chain = std::string_view(layer->class_name()) == "Sequential" && !children.empty();
        return chain ? last_layer(children.back().second) : layer;
    }
    const std::size_t result = graph_results(layer).front();
    for (const GraphCall& call : calls)
        if (result >= call.first_output && result < call.first_output + call.outputs)
            return last_layer(children[call.child].second);
    return layer;  // an input, handed through
}

}  // namespace

bool gives_probabilities(const Model& model) {
    const Config config = last_layer(model)->config();
    if (!config.has("activation")) return false;
    const Activation::Kind kind = Activation::parse(config.at("activation").string());
    return kind == Activation::softmax || kind == Activation::sigmoid;
}

Model open_model(const std::string& name, const std::string& path, const std::optional<ModelShape>& shape) {
    if (is_whole_model(path)) {
        const Model whole = Model::load(path, {.compile = false});
        if (name.empty()) return whole;
        const Model named = make_model(name, whole.input_shapes().front(), class_count(whole));
        named.load_weights(path);
        named.set_class_names(whole.class_names());
        named.set_preprocessing(whole.preprocessing());
        named.set_text_vectorization(whole.text_vectorization());
        return named;
    }
    check(!name.empty(),
          "{}: it holds weights but no model: name it (heddle evaluate MODEL, heddle predict --model NAME)", path);
    check(shape.has_value(), "{}: it holds weights alone, without the pictures' preprocessing: use --input X.npy",
          path);
    const Model named = make_model(name, shape->input, shape->classes);
    named.load_weights(path);
    return named;
}

DataSource open_dataset_for(const Model& model, const std::string& name_or_path, const std::string& label_column) {
    const Shape& input = model.input_shapes().front();
    SourceOptions options{.label_column = label_column};
    if (input.rank() == 3 && (input[2] == 1 || input[2] == 3)) {
        options.height = static_cast<int>(input[0]);
        options.width = static_cast<int>(input[1]);
        options.channels = static_cast<int>(input[2]);
    }
    DataSource source = open_dataset(name_or_path, options);
    check(source.train.input_shape() == input, "{}: its examples are {}, the model takes {}", name_or_path,
          source.train.input_shape(), input);
    return source;
}

}  // namespace heddle::cli
