#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "cli/output.h"
#include "cli/predict.h"
#include "core/check.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/reduce.h"
#include "train/text_generation.h"

namespace heddle::cli {
namespace {

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
        const Config best = class_records(a, model, probabilities(model, outputs[static_cast<std::int64_t>(i)]))[0];
        line += fmt::format("{}{}: {}", line.empty() ? "" : ", ", tokens[i], best.at("class").string());
        Config entry = best;
        list.push_back(entry.set("token", tokens[i]));
    }
    if (!a.json) return print(line + "\n");
    Config record;
    record.set("event", "labels").set("text", text).set("labels", list);
    print_json(record);
}

/// Whether the outputs are the mean of the vectors of a text's words.
bool gives_vectors(const Model& model) {
    const NamedLayers& layers = model->children();
    return layers.size() == 2 && std::string_view(layers[0].second->class_name()) == "Embedding" &&
           std::string_view(layers[1].second->class_name()) == "GlobalAveragePooling1D";
}

/// The words of a model's vocabulary by how near their vectors are to that of a text.
class NearestWords {
  public:
    explicit NearestWords(const Model& model)
        : tokenizer_(model.text_vectorization()->tokenizer),
          words_(tokenizer_.tokens().begin() + Tokenizer::unknown + 1, tokenizer_.tokens().end()) {
        check(!words_.empty(), "the model's vocabulary is empty");
        unit_vectors_ = unit_rows(model.predict(model.text_vectorization()->apply(words_)));
    }

    /// Words and the cosines of the angles, the nearest first, without the text's own.
    std::vector<std::pair<std::string, float>> to(const std::string& text, const Tensor& vector, int count) const {
        const std::vector<std::string> own = tokenizer_.split(text);
        check(ops::sum(ops::square(vector)).item() > 0, "\"{}\": none of its words has a vector", text);
        const Tensor column = unit_rows(vector.reshape(Shape{1, -1})).reshape(Shape{-1, 1});
        const std::vector<float> cosines = ops::matmul(unit_vectors_, column).to_vector<float>();
        std::vector<std::pair<std::string, float>> all;
        for (std::size_t i = 0; i < words_.size(); ++i)
            if (std::find(own.begin(), own.end(), words_[i]) == own.end()) all.emplace_back(words_[i], cosines[i]);
        std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
        all.resize(std::min(all.size(), static_cast<std::size_t>(count)));
        return all;
    }

  private:
    static Tensor unit_rows(const Tensor& vectors) {
        const Tensor squares = ops::sum(ops::square(vectors), {1}, true);
        return vectors / ops::sqrt(ops::binary(ops::BinaryOp::maximum, squares, 1e-24));
    }

    Tokenizer tokenizer_;
    std::vector<std::string> words_;
    Tensor unit_vectors_;  // [words, size]
};

/// The nearest words: "\"good film\": movie 0.71, ...".
void print_nearest(const PredictArguments& a, const NearestWords& words, const std::string& text,
                   const Tensor& vector) {
    Config::Array list;
    std::string line;
    for (const auto& [word, cosine] : words.to(text, vector, a.top)) {
        line += fmt::format("{}{} {:.2f}", line.empty() ? "" : ", ", word, cosine);
        list.push_back(Config().set("word", word).set("cosine", static_cast<double>(cosine)));
    }
    if (!a.json) return print(fmt::format("\"{}\": {}\n", text, line));
    print_json(Config().set("event", "nearest").set("text", text).set("nearest", list));
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
    const TextVectorization& vectorization = *model.text_vectorization();
    if (!a.output.empty()) return save_outputs(a, model.predict(vectorization.apply(a.texts)));
    std::optional<NearestWords> words;
    if (gives_vectors(model)) words.emplace(model);
    // One at a time, unpadded: the model may take texts of any length.
    for (const std::string& text : a.texts) {
        const Tensor x = vectorization.apply(text);
        check(x.elements() > 0, "\"{}\": the text is empty", text);
        const Tensor output = model.predict(x)[0];
        const Shape& shape = output.shape();
        if (words) {
            print_nearest(a, *words, text, output);
        } else if (shape.rank() == 2 && shape[0] == x.size(1) && gives_classes(model, Shape{shape[1]})) {
            print_labels(a, model, text, output);
        } else {
            check(gives_classes(model, shape),
                  "{}: its outputs are {} numbers a text and no classes: say where to with --output Y.npy", a.weights,
                  shape);
            print_classes(a, model, "text", text, output);
        }
    }
}

}  // namespace heddle::cli
