#include "cli/recipe.h"

#include <algorithm>

#include "core/check.h"

namespace heddle::cli {

std::string Recipe::to_string() const {
    std::string text = fmt::format("{}, learning rate {}", optimizer, learning_rate);
    if (momentum > 0) text += fmt::format(", {}momentum {}", nesterov ? "Nesterov " : "", momentum);
    if (weight_decay > 0) text += fmt::format(", weight decay {}", weight_decay);
    text += fmt::format(", {} schedule", schedule);
    if (warmup > 0) text += fmt::format(", {} steps of warm-up", warmup);
    text += fmt::format(", batch {}, {} epoch{}", batch_size, epochs, epochs == 1 ? "" : "s");
    if (augment != "none") text += ", " + augment;
    return text;
}

Recipe default_recipe(std::string_view model) {
    if (model == "cnn") return {.schedule = "linear", .epochs = 8};
    if (model == "resnet20" || model == "resnet56")  // He et al. 2015: 64,000 steps of 128
        return {.optimizer = "sgd",
                .learning_rate = 0.1,
                .momentum = 0.9,
                .weight_decay = 1e-4,
                .schedule = "step",
                .epochs = 164,
                .augment = "crop-flip"};
    if (model == "resnet18")
        return {.optimizer = "sgd",
                .learning_rate = 0.1,
                .momentum = 0.9,
                .weight_decay = 5e-4,
                .schedule = "cosine",
                .epochs = 200,
                .augment = "crop-flip"};
    return {};
}

Recipe changed_recipe(std::string_view model, const RecipeChanges& changes) {
    Recipe recipe = default_recipe(model);
    if (changes.optimizer && *changes.optimizer != recipe.optimizer) {
        recipe.optimizer = *changes.optimizer;
        recipe.learning_rate = recipe.optimizer == "sgd" ? 0.05 : 1e-3;
        recipe.momentum = recipe.optimizer == "sgd" ? 0.9 : 0;
        recipe.weight_decay = recipe.optimizer == "adamw" ? 0.01 : 0;
    }
    recipe.schedule = changes.schedule.value_or(recipe.schedule);
    recipe.augment = changes.augment.value_or(recipe.augment);
    recipe.learning_rate = changes.learning_rate.value_or(recipe.learning_rate);
    recipe.momentum = changes.momentum.value_or(recipe.momentum);
    recipe.weight_decay = changes.weight_decay.value_or(recipe.weight_decay);
    recipe.warmup = changes.warmup.value_or(recipe.warmup);
    recipe.batch_size = changes.batch_size.value_or(recipe.batch_size);
    recipe.epochs = changes.epochs.value_or(recipe.epochs);
    recipe.nesterov = changes.nesterov;
    const bool has_momentum = recipe.optimizer == "sgd" || recipe.optimizer == "rmsprop";
    check(!changes.momentum || has_momentum, "--momentum goes with sgd and rmsprop, not with {}", recipe.optimizer);
    check(!recipe.nesterov || (recipe.optimizer == "sgd" && recipe.momentum > 0),
          "--nesterov goes with sgd and a momentum above 0");
    check(recipe.warmup == 0 || recipe.schedule != "one-cycle",
          "--warmup does not go with the one-cycle schedule, which rises by itself");
    return recipe;
}

Schedule make_schedule(const Recipe& recipe, std::int64_t steps) {
    check(recipe.warmup < steps, "--warmup {} leaves none of the {} steps for the {} schedule", recipe.warmup, steps,
          recipe.schedule);
    const double rate = recipe.learning_rate;
    const std::int64_t rest = steps - recipe.warmup;
    Schedule schedule = rate;
    if (recipe.schedule == "linear")
        schedule = LinearDecay({.initial_learning_rate = rate, .decay_steps = rest});
    else if (recipe.schedule == "cosine")
        schedule = CosineDecay({.initial_learning_rate = rate, .decay_steps = rest});
    else if (recipe.schedule == "one-cycle")
        schedule = OneCycle({.max_learning_rate = rate, .total_steps = std::max<std::int64_t>(rest, 2)});
    else if (recipe.schedule == "step")
        schedule = Schedule([rate, rest](std::int64_t step) {
            return 4 * step >= 3 * rest ? rate * 0.01 : 2 * step >= rest ? rate * 0.1 : rate;
        });
    return recipe.warmup > 0 ? Warmup(recipe.warmup, schedule) : schedule;
}

Optimizer make_optimizer(const Recipe& recipe, std::int64_t steps) {
    const Schedule rate = make_schedule(recipe, steps);
    if (recipe.optimizer == "sgd")
        return SGD({.learning_rate = rate,
                    .momentum = recipe.momentum,
                    .nesterov = recipe.nesterov,
                    .weight_decay = recipe.weight_decay});
    if (recipe.optimizer == "adam") return Adam({.learning_rate = rate, .weight_decay = recipe.weight_decay});
    if (recipe.optimizer == "adamw") return AdamW({.learning_rate = rate, .weight_decay = recipe.weight_decay});
    return RMSprop({.learning_rate = rate, .momentum = recipe.momentum, .weight_decay = recipe.weight_decay});
}

}  // namespace heddle::cli
