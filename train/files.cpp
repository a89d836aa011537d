#include <algorithm>
#include <map>

#include "core/check.h"
#include "core/version.h"
#include "data/files/safetensors.h"
#include "train/detail/compile_config.h"
#include "train/detail/layout.h"
#include "train/detail/state.h"

namespace heddle {
namespace {

NamedTensors stored_weights(const Layer& layer) {
    const std::map<std::string, detail::DiskLayout> layouts = detail::disk_layouts(layer);
    NamedTensors all = detail::all_tensors(layer);
    for (auto& [name, tensor] : all) {
        tensor = tensor.detach();
        if (const auto layout = layouts.find(name); layout != layouts.end()) tensor = to_disk(tensor, layout->second);
    }
    return all;
}

/// PyTorch counts the batches that a batch norm has seen; nothing here depends on it.
bool ignored(const std::string& name) { return name.ends_with("num_batches_tracked"); }

std::string listed(const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return "";
    constexpr std::size_t most = 20;
    const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), most));
    return fmt::format("; {}: {}{}", what, fmt::join(names.begin(), names.begin() + shown, ", "),
                       names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
}

void read_weights(const Layer& layer, const SafetensorsFile& file, const std::string& path, bool strict) {
    const std::map<std::string, detail::DiskLayout> layouts = detail::disk_layouts(layer);
    std::map<std::string, Tensor> stored(file.tensors.begin(), file.tensors.end());
    std::vector<std::string> missing, unexpected, misshaped;
    std::vector<std::pair<Tensor, Tensor>> copies;
    for (const auto& [name, tensor] : detail::all_tensors(layer)) {
        const auto place = stored.find(name);
        if (place == stored.end()) {
            missing.push_back(name);
            continue;
        }
        const Tensor found = place->second;
        stored.erase(place);
        const auto layout = layouts.find(name);
        const Shape expected = layout != layouts.end() ? layout->second.shape : tensor.shape();
        if (found.shape() != expected)
            misshaped.push_back(
                fmt::format("{} {} instead of {}", name, found.shape().to_string(), expected.to_string()));
        else
            copies.emplace_back(tensor,
                                layout != layouts.end() ? from_disk(found, layout->second, tensor.shape()) : found);
    }
    for (const auto& [name, tensor] : stored)
        if (!ignored(name)) unexpected.push_back(name);
    if (strict && !(missing.empty() && unexpected.empty() && misshaped.empty()))
        fail(fmt::format("{}: its weights are not of this model{}{}{}", path, listed("missing", missing),
                         listed("unexpected", unexpected), listed("of another shape", misshaped)));
    for (const auto& [target, value] : copies) target.copy_(value);
}

Config names_config(const std::vector<std::string>& names) {
    Config::Array array;
    for (const std::string& name : names) array.emplace_back(name);
    return array;
}

Model model_of(const SafetensorsFile& file, const std::string& path) {
    const auto text = file.metadata.find("config");
    check(text != file.metadata.end() && file.metadata.contains("heddle"),
          "{}: it holds weights but no model: make the model and call load_weights()", path);
    const Config config = Config::parse(text->second);
    Model model(Layer::from_config(config.at("layer")));
    std::vector<Shape> shapes;
    for (const Config& shape : config.at("input_shapes").array()) {
        const std::vector<std::int64_t> extents = shape.integers();
        shapes.emplace_back(std::span<const std::int64_t>(extents));
    }
    model.build(shapes);
    if (const auto names = file.metadata.find("class_names"); names != file.metadata.end()) {
        const Config stored = Config::parse(names->second);
        std::vector<std::string> list;
        for (const Config& name : stored.array()) list.push_back(name.string());
        model.set_class_names(list);
    }
    if (const auto settings = file.metadata.find("preprocessing"); settings != file.metadata.end())
        model.set_preprocessing(Preprocessing::from_config(Config::parse(settings->second)));
    if (const auto settings = file.metadata.find("text_vectorization"); settings != file.metadata.end())
        model.set_text_vectorization(TextVectorization::from_config(Config::parse(settings->second)));
    return model;
}

void compile_as_saved(const Model& model, const std::string& settings) {
    try {
        detail::compile_from(model, Config::parse(settings));
    } catch (const Error& error) {
        fail(fmt::format("how it was compiled cannot be read: {} (load it with {{.compile = false}})", error.what()));
    }
}

}  // namespace

void Model::save(const std::string& path) const {
    check(!input_shapes().empty(), "save: the model is not built: call it, fit it, or build(input shape) first");
    Config::Array shapes;
    for (const Shape& shape : input_shapes())
        shapes.emplace_back(std::vector<std::int64_t>(shape.begin(), shape.end()));
    Config config;
    config.set("layer", Layer::config()).set("input_shapes", shapes);
    std::map<std::string, std::string> metadata{{"heddle", version()}, {"format", "pt"}, {"config", config.to_json()}};
    if (!class_names().empty()) metadata["class_names"] = names_config(class_names()).to_json();
    if (preprocessing()) metadata["preprocessing"] = preprocessing()->to_config().to_json();
    if (text_vectorization()) metadata["text_vectorization"] = text_vectorization()->to_config().to_json();
    if (state().compiled) metadata["compile"] = detail::compile_config(compiled()).to_json();
    save_safetensors(path, stored_weights(*this), metadata);
}

Model Model::load(const std::string& path, const LoadModelOptions& options) {
    const SafetensorsFile file = load_safetensors(path);
    Model model;
    try {
        model = model_of(file, path);
        if (const auto settings = file.metadata.find("compile"); options.compile && settings != file.metadata.end())
            compile_as_saved(model, settings->second);
    } catch (const Error& error) {
        const std::string message = error.what();
        fail(message.starts_with(path) ? message : fmt::format("{}: {}", path, message));
    }
    read_weights(model, file, path, true);
    return model;
}

void Model::save_weights(const std::string& path) const {
    check(!input_shapes().empty(),
          "save_weights: the model is not built: call it, fit it, or build(input shape) first");
    save_safetensors(path, stored_weights(*this), {{"format", "pt"}});
}

void Model::load_weights(const std::string& path, const LoadOptions& options) const {
    check(!input_shapes().empty(), "load_weights: the model is not built: call it or build(input shape) first");
    read_weights(*this, load_safetensors(path), path, options.strict);
}

}  // namespace heddle
