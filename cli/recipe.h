#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "models/recipe.h"

namespace heddle::cli {

/// What the user chose in place of a recipe's settings.
struct RecipeChanges {
    std::optional<std::string> optimizer = {}, schedule = {}, augment = {};
    std::optional<double> learning_rate = {}, momentum = {}, weight_decay = {}, label_smoothing = {}, mixup = {};
    std::optional<std::int64_t> warmup = {}, batch_size = {}, accumulate = {}, epochs = {};
    bool nesterov = false;
};

/// The recipe with changes; another optimizer comes with its own usual settings. Throws `Error` for settings that do
/// not go together.
Recipe changed_recipe(Recipe recipe, const RecipeChanges& changes);

}  // namespace heddle::cli
