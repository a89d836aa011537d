#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "train/optimizer.h"
#include "train/schedule.h"

namespace heddle::cli {

/// How a model is trained.
struct Recipe {
    std::string optimizer = "adam";  ///< sgd, adam, adamw or rmsprop
    double learning_rate = 1e-3;
    double momentum = 0;  ///< of sgd and rmsprop
    bool nesterov = false;
    double weight_decay = 0;
    std::string schedule = "constant";  ///< constant, linear, cosine, step or one-cycle
    std::int64_t warmup = 0;            ///< steps
    std::int64_t batch_size = 128;
    std::int64_t epochs = 10;
    std::string augment = "none";  ///< none or crop-flip

    /// "sgd, learning rate 0.1, momentum 0.9, weight decay 0.0001, step schedule, batch 128, 164 epochs, crop-flip".
    std::string to_string() const;
};

/// What the user chose in place of the model's own recipe.
struct RecipeChanges {
    std::optional<std::string> optimizer = {}, schedule = {}, augment = {};
    std::optional<double> learning_rate = {}, momentum = {}, weight_decay = {};
    std::optional<std::int64_t> warmup = {}, batch_size = {}, epochs = {};
    bool nesterov = false;
};

/// The recipe of a reference model.
Recipe default_recipe(std::string_view model);
/// That recipe with changes; another optimizer comes with its own usual settings. Throws `Error` for settings that do
/// not go together.
Recipe changed_recipe(std::string_view model, const RecipeChanges& changes);

/// The rate over `steps` steps. step: a tenth from half of them on, a hundredth from three quarters on (He et al.
/// 2015).
Schedule make_schedule(const Recipe& recipe, std::int64_t steps);
Optimizer make_optimizer(const Recipe& recipe, std::int64_t steps);

}  // namespace heddle::cli
