#include <algorithm>
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
#include "ops/softmax.h"

namespace heddle::cli {
namespace {

struct PredictArguments {
    std::string model = {}, weights = {}, input = {}, output = {}, device = "cpu";
    std::vector<std::string> pictures = {};
    std::int64_t classes = 10;
    int top = 3;
    int threads = 0;
    bool json = false;
};

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

void print_prediction(const PredictArguments& a, const Model& model, const std::string& path,
                      const std::vector<float>& probabilities) {
    const auto name = [&](std::size_t index) {
        return index < model.class_names().size() ? model.class_names()[index] : fmt::format("class {}", index);
    };
    const std::vector<std::size_t> best = best_classes(probabilities, a.top);
    if (a.json) {
        Config::Array list;
        for (const std::size_t index : best) {
            Config entry;
            entry.set("class", name(index)).set("index", static_cast<std::int64_t>(index));
            set_finite(entry, {{"probability", static_cast<double>(probabilities[index])}});
            list.push_back(entry);
        }
        Config record;
        record.set("event", "prediction").set("file", path).set("predictions", list);
        print_json(record);
        return;
    }
    std::string line = path + ":";
    for (std::size_t i = 0; i < best.size(); ++i)
        line += fmt::format("{} {} {:.1f} %", i == 0 ? "" : ",", name(best[i]), 100 * probabilities[best[i]]);
    print(line + "\n");
}

/// Some at a time: memory stays small however many there are.
void predict_pictures(const PredictArguments& a, const Model& model) {
    check(model.preprocessing().has_value(),
          "{}: the model does not say how pictures become its input: use --input X.npy", a.weights);
    const Preprocessing& preprocessing = *model.preprocessing();
    const auto channels = static_cast<int>(preprocessing.input_shape[2]);
    constexpr std::size_t at_a_time = 64;
    for (std::size_t first = 0; first < a.pictures.size(); first += at_a_time) {
        const std::size_t last = std::min(first + at_a_time, a.pictures.size());
        std::vector<Picture> pictures;
        for (std::size_t i = first; i < last; ++i) pictures.push_back(load_picture(a.pictures[i], channels));
        const Tensor probabilities = ops::softmax(model.predict(preprocessing.apply(pictures)));
        for (std::size_t i = first; i < last; ++i)
            print_prediction(a, model, a.pictures[i],
                             probabilities[static_cast<std::int64_t>(i - first)].to_vector<float>());
    }
}

/// Raw numbers in, logits out.
int predict_array(const PredictArguments& a) {
    const Tensor input = load_npy(a.input);
    check(input.dtype() == DType::f32, "{}: expected float32, got {}: use x.astype(numpy.float32)", a.input,
          input.dtype());
    check(input.rank() >= 2 && input.size(0) > 0, "{}: expected [examples, ...], got {}", a.input, input.shape());
    const Shape example = input.shape().range(1, input.rank());
    const Model model = open_model(a.model, a.weights, ModelShape{example, a.classes});
    model.to(Device::parse(a.device));
    check(example == model.input_shapes().front(), "{}: its examples are {}, the model takes {}", a.input, example,
          model.input_shapes().front());
    const Tensor logits = model.predict(input);
    save_npy(a.output, logits);
    if (a.json) {
        Config record;
        record.set("event", "end")
            .set("input", a.input)
            .set("output", a.output)
            .set("shape", std::vector<std::int64_t>(logits.shape().begin(), logits.shape().end()));
        print_json(record);
    } else {
        print(fmt::format("{}: logits {}\n", a.output, logits.shape()));
    }
    return 0;
}

int predict(const PredictArguments& a) {
    check_usage(a.input.empty() == a.output.empty(), "--input and --output belong together");
    check_usage(a.input.empty() != a.pictures.empty(), "predict takes pictures, or --input and --output");
    driver(Device::parse(a.device));
    if (a.threads > 0) set_thread_count(a.threads);
    if (!a.input.empty()) return predict_array(a);
    const Model model = open_model(a.model, a.weights, {});
    model.to(Device::parse(a.device));
    predict_pictures(a, model);
    return 0;
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("predict", "Classes of pictures, or a model's outputs for an array");
    auto a = std::make_shared<PredictArguments>();
    command->add_option("PICTURES", a->pictures, "JPEG or PNG files, resized where needed")->type_name("");
    command->add_option("--weights", a->weights, "A model as heddle train writes it (.safetensors)")
        ->type_name("FILE")
        ->required();
    command->add_option("--model", a->model, "The model, where the file holds weights alone (heddle models)")
        ->type_name("NAME")
        ->check(model_name());
    command->add_option("--classes", a->classes, "Its number of classes, likewise [10]")
        ->type_name("N")
        ->check(whole_in(1, 1'000'000));
    command->add_option("--top", a->top, "Classes shown for each picture [3]")
        ->type_name("K")
        ->check(whole_in(1, 1'000'000));
    command
        ->add_option("--input", a->input,
                     "float32 [N, height, width, channels]: the model's input as it is, normalised already")
        ->type_name("X.npy");
    command->add_option("--output", a->output, "Gets the logits, float32 [N, classes]")->type_name("Y.npy");
    command->add_option("--device", a->device, "Where to compute [cpu]")
        ->type_name("cpu|cuda[:N]|sim")
        ->check(device_name());
    command->add_option("--threads", a->threads, "CPU threads [HEDDLE_THREADS, or one a core]")
        ->type_name("N")
        ->check(whole_in(1, 1024));
    command->add_flag("--json", a->json, "A JSON object for each picture");
    command->callback([a, &action] { action = [a] { return predict(*a); }; });
}

}  // namespace heddle::cli
