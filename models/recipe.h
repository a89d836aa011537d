#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "data/dataset.h"
#include "train/optimizer.h"
#include "train/test_augmentation.h"

namespace heddle {

/// How some of a model's parameters are optimised; what a kind of optimizer does not know stays at its default.
struct RecipeOptimizer {
    std::vector<std::string> parameters = {"*"};  ///< names, as in `OptimizerGroup`
    std::string kind = "adam";  ///< sgd, adam, adamw, nadam, adamax, rmsprop, adagrad, adadelta or muon
    double learning_rate = 1e-3;
    double momentum = 0;  ///< of sgd, rmsprop and muon
    bool nesterov = false;
    double weight_decay = 0;
    std::string schedule = "constant";  ///< constant, linear, cosine, step (a tenth, a hundredth) or one-cycle
    std::int64_t schedule_steps = 0;    ///< the schedule's length; 0: the whole training
    std::int64_t warmup = 0;            ///< steps in which the rate rises before the schedule begins
    std::int64_t newton_schulz_steps = 5;
    bool normalize_weights = false;

    bool operator==(const RecipeOptimizer&) const = default;
};

/// What a recipe reached somewhere.
struct RecipeResult {
    std::string data = {};
    double accuracy = 0;  ///< on the test set
    double seconds = 0;   ///< of training
    std::string machine = {}, date = {}, precision = "f32";
    std::int64_t epochs = 0;  ///< 0: those of the recipe

    bool operator==(const RecipeResult&) const = default;
};

/// How a model is trained: what `heddle train --recipe` reads from a small JSON file.
struct HEDDLE_API Recipe {
    std::string name = {};
    std::vector<std::string> models = {};  ///< it is the default recipe of these (the first recipe that names one)
    std::string description = {};
    std::vector<RecipeOptimizer> optimizers = {{}};
    std::int64_t batch_size = 128;
    std::int64_t accumulate = 1;  ///< batches a step (`FitOptions::gradient_accumulation_steps`)
    std::int64_t epochs = 10;
    double label_smoothing = 0;
    double mixup = 0;  ///< > 0: alpha of `Mixup` (data/mixup.h)
    std::optional<Augmentation> augment = {};
    TestAugmentation test_augmentation = TestAugmentation::none;
    std::int64_t whiten = 0;  ///< > 0: pictures that `whiten` (models/speednet.h) looks at before training
    std::vector<RecipeResult> measured = {};

    /// Throws `Error` for an unknown key, or a value of the wrong kind or range.
    static Recipe from_config(const Config& config);
    Config to_config() const;
    /// "sgd, learning rate 0.1, momentum 0.9, weight decay 0.0001, step schedule, batch 128, 164 epochs, crop 4, flip".
    std::string to_string() const;

    /// For a training of so many steps. Throws `Error` where a schedule does not fit into them.
    Optimizer make_optimizer(std::int64_t steps) const;
};

/// The recipes that come with Heddle (models/recipes/*.json).
HEDDLE_API const std::vector<Recipe>& recipe_list();
/// One of those by name, or read from a file whose name ends in ".json". Throws `Error` that lists the names.
HEDDLE_API Recipe find_recipe(const std::string& name_or_path);
/// The recipe of a reference model; plain Adam where none names it.
HEDDLE_API Recipe default_recipe(std::string_view model);

}  // namespace heddle
