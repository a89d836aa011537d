#include "cli/output.h"
#include "cli/predict.h"
#include "core/check.h"
#include "ops/elementwise.h"
#include "train/text_generation.h"

namespace heddle::cli {
namespace {

void print_text_classes(const PredictArguments& a, const Model& model, const std::string& text, const Tensor& output) {
    const std::vector<float> p = probabilities(output);
    if (a.json) {
        Config record;
        record.set("event", "prediction").set("text", text).set("predictions", class_records(a, model, p));
        print_json(record);
    } else {
        print(fmt::format("\"{}\": {}\n", text, listed_classes(a, model, p)));
    }
}

/// The most probable class of each token: "t: inside, o: end".
void print_labels(const PredictArguments& arguments, const Model& model, const std::string& text,
                  const Tensor& outputs) {
    const Tokenizer& tokenizer = model.text_vectorization()->tokenizer;
    const std::vector<std::string> tokens = tokenizer.split(text);
    check(static_cast<std::int64_t>(tokens.size()) <= outputs.size(0),
          "the text has {} tokens, the model takes {} at a time: cut it", tokens.size(), outputs.size(0));
    PredictArguments a = arguments;
    a.top = 1;
    Config::Array list;
    std::string line;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const Config best = class_records(a, model, probabilities(outputs[static_cast<std::int64_t>(i)]))[0];
        line += fmt::format("{}{}: {}", line.empty() ? "" : ", ", tokens[i], best.at("class").string());
        Config entry = best;
        list.push_back(entry.set("token", tokens[i]));
    }
    if (!a.json) return print(line + "\n");
    Config record;
    record.set("event", "labels").set("text", text).set("labels", list);
    print_json(record);
}

void print_continued(const PredictArguments& a, const Model& model, const std::string& text) {
    const std::string written =
        generate_text(model, text, {.length = a.characters, .temperature = a.temperature, .seed = a.seed});
    if (!a.json) return print(written + "\n");
    Config record;
    record.set("event", "written").set("begin", text).set("text", written);
    print_json(record);
}

}  // namespace

void predict_texts(const PredictArguments& a, const Model& model) {
    check(model.text_vectorization().has_value(),
          "{}: the model does not say how texts become its input: use --input X.npy", a.weights);
    check(model.input_shapes().size() == 1, "{}: the model has {} inputs: use --input X.npy for each", a.weights,
          model.input_shapes().size());
    if (a.output.empty() && is_language_model(model)) {
        for (const std::string& text : a.texts) print_continued(a, model, text);
        return;
    }
    const Tensor outputs = model.predict(model.text_vectorization()->apply(a.texts));
    if (!a.output.empty()) return save_outputs(a, outputs);
    const Shape shape = outputs.shape().range(1, outputs.rank());
    const bool labels =
        shape.rank() == 2 && shape[0] == model.input_shapes()[0][0] && gives_classes(model, Shape{shape[1]});
    check(labels || gives_classes(model, shape),
          "{}: its outputs are {} numbers a text and no classes: say where to with --output Y.npy", a.weights, shape);
    for (std::size_t i = 0; i < a.texts.size(); ++i)
        (labels ? print_labels : print_text_classes)(a, model, a.texts[i], outputs[static_cast<std::int64_t>(i)]);
}

}  // namespace heddle::cli
