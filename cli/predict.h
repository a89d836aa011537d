#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "train/model.h"

namespace heddle::cli {

/// The options of `heddle predict`.
struct PredictArguments {
    std::string model = {}, weights = {}, output = {}, device = "cpu";
    std::vector<std::string> pictures = {}, inputs = {}, texts = {};
    std::int64_t classes = 10;
    int top = 3;
    int threads = 0;
    std::int64_t characters = 200;
    double temperature = 1;
    std::uint64_t seed = 0;
    bool json = false;
};

/// Whether `outputs` of one example are one number a class; one number beside two class names tells these two apart.
bool gives_classes(const Model& model, const Shape& outputs);

/// The probability of each class from the model's outputs for one example or for one place in it.
std::vector<float> probabilities(const Model& model, const Tensor& outputs);

/// Says the most probable classes of an example from its outputs, best first: "shoe.png: shoe 97.1 %, shirt 2.0 %", or
/// as JSON. `kind`, "file" or "text": what `example` is.
void print_classes(const PredictArguments& a, const Model& model, const std::string& kind, const std::string& example,
                   const Tensor& outputs);
/// The classes as JSON.
Config::Array class_records(const PredictArguments& a, const Model& model, const std::vector<float>& probabilities);

/// Writes the outputs to `a.output` and says so.
void save_outputs(const PredictArguments& a, const Tensor& outputs);

/// Classes of texts, labels of their tokens, the words nearest to them, or what a language model makes of them: as the
/// model is.
void predict_texts(const PredictArguments& a, const Model& model);

}  // namespace heddle::cli
