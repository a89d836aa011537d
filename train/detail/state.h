#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/loader.h"
#include "train/detail/gathered_mean.h"
#include "train/model.h"

namespace heddle {

/// What a model knows besides its layers.
struct Model::State {
    bool compiled = false;
    CompileOptions training = {};
    std::vector<std::string> class_names = {};
    std::optional<Preprocessing> preprocessing = {};
    std::optional<TextVectorization> text_vectorization = {};
};

namespace detail {

struct ModelAccess {
    static const Model::State& state(const Model& model) { return model.state(); }
};

/// The penalties on the weights, compiled ones and the layers' own; undefined where there are none.
Tensor penalty(const Model& model, const NamedTensors& parameters);

/// "loss" and the metrics (which are reset) over an epoch of the loader.
Result evaluate(const Model& model, DataLoader& loader, TestAugmentation augmentation = TestAugmentation::none);

/// "loss" and the metrics as gathered so far.
Result gathered(const Model& model, GatheredMean& loss);

Device device_of(const Layer& layer);

/// What the model was compiled to compute in; f32 before that.
Precision precision_of(const Model& model);

/// Parameters by their first name, each once: layers may share them.
NamedTensors unique_parameters(const Layer& layer);

}  // namespace detail
}  // namespace heddle
