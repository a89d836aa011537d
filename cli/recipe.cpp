#include "cli/recipe.h"

#include "core/check.h"

namespace heddle::cli {
namespace {

void change_optimizer(RecipeOptimizer& o, const RecipeChanges& changes) {
    if (changes.optimizer && *changes.optimizer != o.kind) {
        o = {.kind = *changes.optimizer, .schedule = o.schedule, .warmup = o.warmup};
        const bool sgd = o.kind == "sgd", muon = o.kind == "muon";
        o.learning_rate = sgd ? 0.05 : muon ? 0.02 : o.kind == "adadelta" ? 1 : o.kind == "adagrad" ? 0.01 : 1e-3;
        o.momentum = sgd ? 0.9 : muon ? 0.95 : 0;
        o.weight_decay = o.kind == "adamw" ? 0.01 : 0;
    }
    o.schedule = changes.schedule.value_or(o.schedule);
    o.learning_rate = changes.learning_rate.value_or(o.learning_rate);
    o.momentum = changes.momentum.value_or(o.momentum);
    o.weight_decay = changes.weight_decay.value_or(o.weight_decay);
    o.warmup = changes.warmup.value_or(o.warmup);
    o.nesterov = changes.nesterov || o.nesterov;
    const bool has_momentum = o.kind == "sgd" || o.kind == "rmsprop" || o.kind == "muon";
    check(!changes.momentum || has_momentum, "--momentum goes with sgd, rmsprop and muon, not with {}", o.kind);
    check(!o.nesterov || ((o.kind == "sgd" || o.kind == "muon") && o.momentum > 0),
          "--nesterov goes with sgd or muon and a momentum above 0");
    check(o.warmup == 0 || o.schedule != "one-cycle",
          "--warmup does not go with the one-cycle schedule, which rises by itself");
}

}  // namespace

Recipe changed_recipe(Recipe recipe, const RecipeChanges& changes) {
    const bool changes_optimizer = changes.optimizer || changes.schedule || changes.learning_rate || changes.momentum ||
                                   changes.weight_decay || changes.warmup || changes.nesterov;
    check(recipe.optimizers.size() == 1 || !changes_optimizer || changes.optimizer,
          "the recipe {} has {} groups of parameters with settings of their own: change a copy of it "
          "(models/recipes/{}.json, --recipe FILE.json), or choose one --optimizer for all",
          recipe.name, recipe.optimizers.size(), recipe.name);
    if (recipe.optimizers.size() > 1 && changes.optimizer) recipe.optimizers = {RecipeOptimizer{.kind = ""}};
    if (changes_optimizer) change_optimizer(recipe.optimizers[0], changes);
    if (changes.augment)
        recipe.augment = *changes.augment == "none" ? std::nullopt : std::optional<Augmentation>(Augmentation{});
    recipe.label_smoothing = changes.label_smoothing.value_or(recipe.label_smoothing);
    recipe.mixup = changes.mixup.value_or(recipe.mixup);
    recipe.accumulate = changes.accumulate.value_or(recipe.accumulate);
    recipe.batch_size = changes.batch_size.value_or(recipe.batch_size);
    recipe.epochs = changes.epochs.value_or(recipe.epochs);
    return recipe;
}

}  // namespace heddle::cli
