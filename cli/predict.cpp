#include "cli/predict.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "cli/weights.h"
#include "core/check.h"
#include "core/parallel.h"
#include "data/files/npy.h"
#include "data/picture.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/softmax.h"

namespace heddle::cli {
namespace {

void check_usage(bool ok, const char* message) {
    if (!ok) throw UsageError(message);
}

/// The classes with the largest probabilities, best first.
std::vector<std::size_t> best_classes(const std::vector<float>& probabilities, int wanted) {
    std::vector<std::size_t> order(probabilities.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(wanted)));
    return order;
}

std::string class_name(const Model& model, std::size_t index) {
    return index < model.class_names().size() ? model.class_names()[index] : fmt::format("class {}", index);
}

/// In batches, so that memory stays small for any number of pictures.
void predict_pictures(const PredictArguments& a, const Model& model) {
    check(model.preprocessing().has_value(),
          "{}: the model does not say how pictures become its input: use --input X.npy", a.weights);
    const Preprocessing& preprocessing = *model.preprocessing();
    const Shape outputs = model->output_shapes(model.input_shapes()).front();
    check(!a.output.empty() || gives_classes(model, outputs),
          "{}: its outputs are {} numbers a picture and no classes: say where to with --output Y.npy", a.weights,
          outputs);
    const auto channels = static_cast<int>(preprocessing.input_shape[2]);
    constexpr std::size_t at_a_time = 64;
    std::vector<Tensor> all;
    for (std::size_t first = 0; first < a.pictures.size(); first += at_a_time) {
        const std::size_t last = std::min(first + at_a_time, a.pictures.size());
        std::vector<Picture> pictures;
        for (std::size_t i = first; i < last; ++i) pictures.push_back(load_picture(a.pictures[i], channels));
        const Tensor output = model.predict(preprocessing.apply(pictures));
        if (!a.output.empty()) {
            all.push_back(output);
            continue;
        }
        for (std::size_t i = first; i < last; ++i)
            print_classes(a, model, "file", a.pictures[i], output[static_cast<std::int64_t>(i - first)]);
    }
    if (!all.empty()) save_outputs(a, ops::concat(all, 0));
}

/// Raw numbers in, the model's outputs out.
void predict_arrays(const PredictArguments& a) {
    std::vector<Tensor> inputs;
    std::vector<Shape> examples;
    for (const std::string& path : a.inputs) {
        const Tensor input = load_npy(path);
        const DType type = input.dtype();
        check(type == DType::f32 || type == DType::i32 || type == DType::i64 || type == DType::boolean,
              "{}: expected float32 (or int32, int64 for tokens, bool for masks), got {}: use x.astype(numpy.float32)",
              path, type);
        check(input.rank() >= 1 && input.size(0) > 0, "{}: expected [examples, ...], got {}", path, input.shape());
        check(inputs.empty() || input.size(0) == inputs[0].size(0), "{}: it has {} examples, {} has {}", path,
              input.size(0), a.inputs[0], inputs.empty() ? 0 : inputs[0].size(0));
        inputs.push_back(input);
        examples.push_back(input.shape().range(1, input.rank()));
    }
    const Model model = open_model(a.model, a.weights, ModelShape{examples[0], a.classes});
    model.to(Device::parse(a.device));
    check(inputs.size() == model.input_shapes().size(), "{}: the model has {} inputs, got {}: one --input for each",
          a.weights, model.input_shapes().size(), inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
        check(examples[i] == model.input_shapes()[i], "{}: its examples are {}, the model takes {}", a.inputs[i],
              examples[i], model.input_shapes()[i]);
    save_outputs(a, model.predict(inputs));
}

int predict(const PredictArguments& a) {
    const int kinds = !a.inputs.empty() + !a.pictures.empty() + !a.texts.empty();
    check_usage(kinds == 1, "predict takes pictures, or --text, or --input and --output");
    check_usage(a.inputs.empty() || !a.output.empty(), "--input needs --output: where the outputs go");
    check_folder_of(a.output);
    driver(Device::parse(a.device));
    if (a.threads > 0) set_thread_count(a.threads);
    if (!a.inputs.empty()) {
        predict_arrays(a);
        return 0;
    }
    const Model model = open_model(a.model, a.weights, {});
    model.to(Device::parse(a.device));
    if (a.texts.empty())
        predict_pictures(a, model);
    else
        predict_texts(a, model);
    return 0;
}

}  // namespace

bool gives_classes(const Model& model, const Shape& outputs) {
    if (outputs.rank() != 1) return false;
    const auto names = static_cast<std::int64_t>(model.class_names().size());
    return names == 0 ? outputs[0] > 1 : names == outputs[0] || (names == 2 && outputs[0] == 1);
}

std::vector<float> probabilities(const Model& model, const Tensor& outputs) {
    const bool ready = gives_probabilities(model);
    if (outputs.elements() > 1) return (ready ? outputs : ops::softmax(outputs)).to_vector<float>();
    const float second = (ready ? outputs : ops::sigmoid(outputs)).to_vector<float>()[0];
    return {1 - second, second};
}

void print_classes(const PredictArguments& a, const Model& model, const std::string& kind, const std::string& example,
                   const Tensor& outputs) {
    const std::vector<float> p = probabilities(model, outputs);
    if (a.json) {
        Config record;
        record.set("event", "prediction").set(kind, example).set("predictions", class_records(a, model, p));
        return print_json(record);
    }
    std::string line;
    for (const std::size_t index : best_classes(p, a.top))
        line += fmt::format("{}{} {:.1f} %", line.empty() ? "" : ", ", class_name(model, index), 100 * p[index]);
    print(fmt::format("{}: {}\n", kind == "text" ? "\"" + example + "\"" : example, line));
}

Config::Array class_records(const PredictArguments& a, const Model& model, const std::vector<float>& probabilities) {
    Config::Array list;
    for (const std::size_t index : best_classes(probabilities, a.top)) {
        Config entry;
        entry.set("class", class_name(model, index)).set("index", static_cast<std::int64_t>(index));
        set_finite(entry, {{"probability", static_cast<double>(probabilities[index])}});
        list.push_back(entry);
    }
    return list;
}

void save_outputs(const PredictArguments& a, const Tensor& outputs) {
    save_npy(a.output, outputs);
    if (a.json) {
        Config record;
        record.set("event", "end")
            .set("output", a.output)
            .set("shape", std::vector<std::int64_t>(outputs.shape().begin(), outputs.shape().end()));
        if (a.inputs.size() == 1) record.set("input", a.inputs[0]);
        if (a.inputs.size() > 1) record.set("input", Config::Array(a.inputs.begin(), a.inputs.end()));
        print_json(record);
    } else {
        print(fmt::format("{}: outputs {}\n", a.output, outputs.shape()));
    }
}

void add_predict(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand(
        "predict", "Classes of pictures or texts, a language model's continuation, or a model's outputs");
    auto a = std::make_shared<PredictArguments>();
    command->add_option("PICTURES", a->pictures, "JPEG or PNG files, resized where needed")->type_name("");
    command->add_option("--weights", a->weights, "A model as heddle train writes it (.safetensors)")
        ->type_name("FILE")
        ->required();
    command->add_option("--model", a->model, "The model, if the file holds only weights (heddle models)")
        ->type_name("NAME")
        ->check(model_name());
    command->add_option("--classes", a->classes, "Its number of classes, likewise [10]")
        ->type_name("N")
        ->check(whole_in(1, 1'000'000));
    command->add_option("--top", a->top, "Classes shown for each picture [3]")
        ->type_name("K")
        ->check(whole_in(1, 1'000'000));
    command
        ->add_option(
            "--input", a->inputs,
            "[N, ...]: the model's input as it is: float32, normalised already, or int32 or int64 tokens; once "
            "for each input of the model")
        ->type_name("X.npy")
        ->allow_extra_args(false);
    command->add_option("--output", a->output, "Receives the model's outputs (logits), float32 [N, ...]")
        ->type_name("Y.npy");
    command->add_option("--text", a->texts, "A text, for a model with a vocabulary; may be given several times")
        ->type_name("TEXT")
        ->allow_extra_args(false);
    command->add_option("--characters", a->characters, "How many characters (or words) a language model adds [200]")
        ->type_name("N")
        ->check(whole_in(0, 1'000'000));
    command
        ->add_option("--temperature", a->temperature, "Of its draws: below 1 more predictable, above 1 more varied [1]")
        ->type_name("T")
        ->check(number_in(0, false, 1e6, "a positive number"));
    command->add_option("--seed", a->seed, "Seed of its draws [0]")
        ->type_name("N")
        ->check(whole_in(0, std::numeric_limits<std::int64_t>::max()));
    command->add_option("--device", a->device, "Where to compute [cpu]")
        ->type_name("cpu|cuda[:N]|sim")
        ->check(device_name());
    command->add_option("--threads", a->threads, "CPU threads [HEDDLE_THREADS, or one per core]")
        ->type_name("N")
        ->check(whole_in(1, 1024));
    command->add_flag("--json", a->json, "A JSON object for each picture");
    command->callback([a, &action] { action = [a] { return predict(*a); }; });
}

}  // namespace heddle::cli
