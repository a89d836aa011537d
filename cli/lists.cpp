#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "core/check.h"
#include "data/sources.h"
#include "models/models.h"
#include "models/recipe.h"

// heddle models, heddle recipes, heddle datasets.
namespace heddle::cli {
namespace {

int list_models(bool json) {
    std::string text;
    for (const ModelEntry& entry : model_list()) {
        const Recipe recipe = default_recipe(entry.name);
        if (json)
            print_json(Config()
                           .set("name", std::string(entry.name))
                           .set("description", std::string(entry.description))
                           .set("recipe", recipe.to_config()));
        else
            text += fmt::format("{}\n    {}\n    {}{}\n", entry.name, entry.description,
                                recipe.name.empty() ? "" : recipe.name + ": ", recipe.to_string());
    }
    if (!json) print(text);
    return 0;
}

int list_recipes(bool json) {
    std::string text;
    for (const Recipe& recipe : recipe_list()) {
        if (json) {
            print_json(recipe.to_config());
            continue;
        }
        text += fmt::format("{} (for {})\n    {}\n    {}\n", recipe.name, fmt::join(recipe.models, ", "),
                            recipe.description, recipe.to_string());
        for (const RecipeResult& r : recipe.measured)
            text += fmt::format("    measured: {:.2f} % on {} in {:.0f} s, {} on {}, {}{}\n", 100 * r.accuracy, r.data,
                                r.seconds, r.precision, r.machine, r.date,
                                r.epochs > 0 ? fmt::format(" ({} epochs)", r.epochs) : "");
        if (recipe.measured.empty()) text += "    not measured yet\n";
    }
    if (!json) print(text);
    return 0;
}

int list_datasets(bool json) {
    std::string text;
    for (const DatasetName& set : dataset_names()) {
        if (json) {
            Config::Array places;
            for (const std::string& place : set.places) places.emplace_back(place);
            print_json(Config()
                           .set("name", set.name)
                           .set("summary", set.summary)
                           .set("found", set.found)
                           .set("places", places)
                           .set("how_to_get", set.how_to_get));
            continue;
        }
        text += fmt::format("{:<15}{}\n", set.name, set.summary);
        text += set.found.empty() ? fmt::format("{:<15}not found in {}\n{:<15}to get it: {}\n", "",
                                                fmt::join(set.places, ", "), "", set.how_to_get)
                                  : fmt::format("{:<15}in {}\n", "", set.found);
    }
    if (!json)
        print(
            text +
            "\nOr a path: a folder of IDX files, of CIFAR-10 or CIFAR-100 binary files, a folder with a folder of\n"
            "JPEG and PNG pictures per class (or train/ and test/ with those), or a .csv file with a label column.\n");
    return 0;
}

void add_list(CLI::App& app, Action& action, const char* name, const char* description, int (*list)(bool json)) {
    auto* command = app.add_subcommand(name, description);
    auto json = std::make_shared<bool>(false);
    command->add_flag("--json", *json, "JSON objects, one per line");
    command->callback([json, list, &action] { action = [json, list] { return list(*json); }; });
}

}  // namespace

void add_models(CLI::App& app, Action& action) {
    add_list(app, action, "models", "The reference models and how each is trained", list_models);
}

void add_recipes(CLI::App& app, Action& action) {
    add_list(app, action, "recipes", "Ways to train them, and what each has reached", list_recipes);
}

void add_datasets(CLI::App& app, Action& action) {
    add_list(app, action, "datasets", "The data sets known by name, and where they were found", list_datasets);
}

}  // namespace heddle::cli
