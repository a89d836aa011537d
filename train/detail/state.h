#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/detail/gathered_mean.h"
#include "train/model.h"

namespace heddle {

/// What a model knows besides its layers.
struct Model::State {
    bool compiled = false;
    std::string why_not_compiled = {};  // where the model's file could not say how
    bool trained_on_batch = false;
    CompileOptions training = {};
    std::vector<Metric> metrics = {};  // all, under their names in results
    std::vector<std::string> class_names = {};
    std::optional<Preprocessing> preprocessing = {};
    std::optional<TextVectorization> text_vectorization = {};
};

namespace detail {

struct ModelAccess {
    static Model::State& state(const Model& model) { return model.state(); }
};

/// Throws `Error` that begins with `who` ("fit: ", or nothing) for a model that is not compiled.
void check_compiled(const Model& model, const char* who);

/// The penalties on the weights, compiled ones and the layers' own; undefined where there are none.
Tensor penalty(const Model& model, const NamedTensors& parameters);

/// "loss" and the metrics as gathered so far.
Result gathered(const Model& model, GatheredMean& loss);

Device device_of(const Layer& layer);

/// What the model was compiled to compute in; f32 before that.
Precision precision_of(const Model& model);

/// Parameters by their first name, each once: layers may share them.
NamedTensors unique_parameters(const Layer& layer);

/// Parameters and buffers.
NamedTensors all_tensors(const Layer& layer);

/// The tensors of `saved` in the order of `wanted`: files have an order of their own. Throws `Error` unless they have
/// the same names and shapes.
NamedTensors in_order_of(const NamedTensors& wanted, const NamedTensors& saved);

/// Inputs with as many rows each, at least one; throws `Error` that names `who` otherwise.
void check_rows(const std::vector<Tensor>& inputs, const char* who);

/// Throws `Error` that names `who` where nothing is to be trained.
void check_trainable(const NamedTensors& parameters, const char* who);

}  // namespace detail
}  // namespace heddle
