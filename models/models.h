#pragma once

#include <span>
#include <string_view>

#include "core/export.h"
#include "core/shape.h"
#include "train/model.h"

namespace heddle {

/// A reference model that `heddle train` knows by name.
struct ModelEntry {
    std::string_view name;
    std::string_view description;
};

HEDDLE_API std::span<const ModelEntry> model_list();

/// A new model with initial weights from the default generator, built for pictures (or feature vectors) of shape
/// `input`. Its outputs are logits. Throws `Error` that lists the names for an unknown one, and where the model cannot
/// take the shape.
HEDDLE_API Model make_model(std::string_view name, const Shape& input, std::int64_t classes);

}  // namespace heddle
