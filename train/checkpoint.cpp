#include "train/checkpoint.h"

#include <algorithm>
#include <limits>
#include <map>

#include "core/check.h"
#include "data/files/safetensors.h"
#include "train/detail/state.h"

namespace heddle {
namespace {

// The file holds "model.<name>", "optimizer.<name>", "callback.<index>.<name>", "history.<name>", "gathered.loss" and
// "gathered.<metric>"; numbers are tensors too, so that NaN and infinity keep their bits. The rest is JSON in the
// metadata.
constexpr const char* kind = "heddle training checkpoint, version 1";

Config unsigned_number(std::uint64_t value) { return fmt::format("{}", value); }

std::uint64_t read_unsigned(const Config& config) {
    std::uint64_t value = 0;
    for (const char digit : config.string()) {
        check(digit >= '0' && digit <= '9', "\"{}\" is no number", config.string());
        value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    return value;
}

Tensor numbers(const std::vector<double>& values) {
    return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())});
}

Config weights_config(const ClassWeight& weights) {
    Config config;
    for (const auto& [label, weight] : weights) config.set(fmt::format("{}", label), weight);
    return config;
}

ClassWeight read_weights(const Config& config) {
    ClassWeight weights;
    for (const auto& [label, weight] : config.object())
        weights.emplace(static_cast<std::int64_t>(read_unsigned(label)), weight.number());
    return weights;
}

Config state_config(const Checkpoint& c) {
    Config::Array names;
    for (const std::string& name : c.history.names()) names.emplace_back(name);
    Config config;
    config.set("epoch", c.epoch)
        .set("step", c.step)
        .set("total_steps", c.total_steps)
        .set("seed", unsigned_number(c.seed))
        .set("batch_size", c.batch_size)
        .set("gradient_accumulation_steps", c.gradient_accumulation_steps)
        .set("shuffle", c.shuffle)
        .set("samples", c.samples)
        .set("class_weight", weights_config(c.class_weight.value_or(ClassWeight())))
        .set("generator_seed", unsigned_number(c.generator_seed))
        .set("generator_offset", unsigned_number(c.generator_offset))
        .set("optimizer", c.optimizer_class)
        .set("stopped_early", c.history.stopped_early)
        .set("history", Config(c.history.epochs()))
        .set("history_names", names)
        .set("metrics", static_cast<std::int64_t>(c.metrics.size()))
        .set("callbacks", static_cast<std::int64_t>(c.callbacks.size()));
    return config;
}

void add(NamedTensors& all, const std::string& prefix, const NamedTensors& part) {
    for (const auto& [name, tensor] : part) all.emplace_back(prefix + name, tensor);
}

NamedTensors take(const SafetensorsFile& file, const std::string& prefix) {
    NamedTensors part;
    for (const auto& [name, tensor] : file.tensors)
        if (name.starts_with(prefix)) part.emplace_back(name.substr(prefix.size()), tensor);
    return part;
}

void read_state(Checkpoint& c, const SafetensorsFile& file, const Config& config) {
    c.epoch = config.at("epoch").integer();
    c.step = config.at("step").integer();
    c.total_steps = config.at("total_steps").integer();
    c.seed = read_unsigned(config.at("seed"));
    c.batch_size = config.at("batch_size").integer();
    if (config.has("gradient_accumulation_steps"))
        c.gradient_accumulation_steps = config.at("gradient_accumulation_steps").integer();
    c.shuffle = config.at("shuffle").boolean();
    c.samples = config.at("samples").integer();
    if (config.has("class_weight")) c.class_weight = read_weights(config.at("class_weight"));
    c.generator_seed = read_unsigned(config.at("generator_seed"));
    c.generator_offset = read_unsigned(config.at("generator_offset"));
    c.optimizer_class = config.at("optimizer").string();
    check(c.epoch >= 0 && c.step >= 0 && c.total_steps >= 0, "positions must not be negative");

    const std::vector<std::int64_t> epochs = config.at("history").integers();
    std::vector<std::pair<std::string, std::vector<double>>> series;
    for (const Config& name : config.at("history_names").array()) {
        series.emplace_back(name.string(), file.at("history." + name.string()).to_vector<double>());
        check(series.back().second.size() == epochs.size(), "the history of \"{}\" has another length", name.string());
    }
    for (std::size_t row = 0; row < epochs.size(); ++row) {
        Result values;
        for (const auto& [name, all] : series) values.set(name, all[row]);
        c.history.add(epochs[row], values);
    }

    c.history.stopped_early = config.at("stopped_early").boolean();

    c.loss = file.at("gathered.loss").to_vector<double>();
    for (std::int64_t i = 0; i < config.at("metrics").integer(); ++i)
        c.metrics.push_back(file.at(fmt::format("gathered.{}", i)).to_vector<double>());
    for (std::int64_t i = 0; i < config.at("callbacks").integer(); ++i)
        c.callbacks.push_back(take(file, fmt::format("callback.{}.", i)));
    c.model = take(file, "model.");
    c.optimizer = take(file, "optimizer.");
}

/// The differences that keep `saved` from being copied into `wanted`, one for each name.
std::vector<std::string> differences(const NamedTensors& saved, const NamedTensors& wanted) {
    std::vector<std::string> problems;
    std::map<std::string, Tensor> left(saved.begin(), saved.end());
    for (const auto& [name, tensor] : wanted) {
        const auto place = left.find(name);
        if (place == left.end()) {
            problems.push_back(fmt::format("no \"{}\"", name));
            continue;
        }
        if (place->second.shape() != tensor.shape() || place->second.dtype() != tensor.dtype())
            problems.push_back(fmt::format("\"{}\" is {} {} instead of {} {}", name, to_string(place->second.dtype()),
                                           place->second.shape().to_string(), to_string(tensor.dtype()),
                                           tensor.shape().to_string()));
        left.erase(place);
    }
    for (const auto& [name, tensor] : left) problems.push_back(fmt::format("\"{}\" is not of this model", name));
    return problems;
}

}  // namespace

void Checkpoint::save(const std::string& path) const {
    NamedTensors all;
    add(all, "model.", model);
    add(all, "optimizer.", optimizer);
    for (std::size_t i = 0; i < callbacks.size(); ++i) add(all, fmt::format("callback.{}.", i), callbacks[i]);
    for (const std::string& name : history.names()) all.emplace_back("history." + name, numbers(history.at(name)));
    all.emplace_back("gathered.loss", numbers(loss));
    for (std::size_t i = 0; i < metrics.size(); ++i)
        all.emplace_back(fmt::format("gathered.{}", i), numbers(metrics[i]));
    save_safetensors(path, all, {{"format", kind}, {"state", state_config(*this).to_json()}});
}

Checkpoint Checkpoint::load(const std::string& path) {
    const SafetensorsFile file = load_safetensors(path);
    const auto format = file.metadata.find("format"), state = file.metadata.find("state");
    check(format != file.metadata.end() && format->second == kind && state != file.metadata.end(),
          "{}: this is no training checkpoint", path);
    Checkpoint checkpoint;
    try {
        read_state(checkpoint, file, Config::parse(state->second));
    } catch (const Error& error) {
        fail(fmt::format("{}: damaged checkpoint: {}", path, error.what()));
    }
    return checkpoint;
}

void Checkpoint::restore(const Model& target) const {
    const NamedTensors parameters = detail::unique_parameters(target);
    NamedTensors wanted = parameters;
    for (const auto& buffer : target.buffers()) wanted.push_back(buffer);
    const std::vector<std::string> problems = differences(model, wanted);
    if (!problems.empty()) {
        const std::size_t shown = std::min<std::size_t>(problems.size(), 5);
        fail(fmt::format("the checkpoint is of another model: {}{}",
                         fmt::join(problems.begin(), problems.begin() + static_cast<std::ptrdiff_t>(shown), "; "),
                         shown < problems.size() ? fmt::format("; and {} more", problems.size() - shown) : ""));
    }
    const Optimizer& rule = target.optimizer();
    check(optimizer_class == rule.class_name(), "the checkpoint was made with {}, the model is compiled with {}",
          optimizer_class, rule.class_name());
    rule.set_state(optimizer, parameters);
    const std::map<std::string, Tensor> values(model.begin(), model.end());
    for (const auto& [name, tensor] : wanted) tensor.copy_(values.at(name));
}

std::string checkpoint_path(const std::string& folder) { return folder + "/checkpoint.safetensors"; }

}  // namespace heddle
