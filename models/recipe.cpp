#include "models/recipe.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "core/check.h"
#include "core/detail/text_file.h"
#include "models/detail/recipe_files.h"
#include "train/muon.h"
#include "train/optimizer_groups.h"

namespace heddle {
namespace {

/// Members of an object in a recipe; each may be left out, none may be unknown.
class Members {
  public:
    Members(const Config& config, std::string where, std::initializer_list<std::string_view> known)
        : config_(config), where_(std::move(where)) {
        for (const auto& [key, value] : config.object())
            check(std::find(known.begin(), known.end(), key) != known.end(), "{}: unknown key \"{}\"; there are: {}",
                  where_, key, fmt::join(known, ", "));
    }
    void read(const char* key, std::string& value) const {
        with(key, [&](const Config& config) { value = config.string(); });
    }
    void read(const char* key, bool& value) const {
        with(key, [&](const Config& config) { value = config.boolean(); });
    }
    void read(const char* key, std::vector<std::string>& value) const {
        with(key, [&](const Config& config) {
            value.clear();
            for (const Config& item : config.array()) value.push_back(item.string());
        });
    }
    void read(const char* key, double& value, double low, double high) const {
        if (!config_.has(key)) return;
        with(key, [&](const Config& config) { value = config.number(); });
        check(std::isfinite(value) && value >= low && value <= high, "{}: \"{}\" must be in {} .. {}, got {}", where_,
              key, low, high, value);
    }
    void read(const char* key, std::int64_t& value, std::int64_t low) const {
        if (!config_.has(key)) return;
        with(key, [&](const Config& config) { value = config.integer(); });
        check(value >= low && value <= 1'000'000'000, "{}: \"{}\" must be in {} .. 1000000000, got {}", where_, key,
              low, value);
    }
    void read(const char* key, std::string& value, std::initializer_list<std::string_view> allowed) const {
        read(key, value);
        check(std::find(allowed.begin(), allowed.end(), value) != allowed.end(),
              "{}: \"{}\" must be one of {}, got \"{}\"", where_, key, fmt::join(allowed, ", "), value);
    }

  private:
    /// Where there is such a member; an error in it names the key.
    template <class Read>
    void with(const char* key, const Read& read) const {
        if (!config_.has(key)) return;
        try {
            read(config_.at(key));
        } catch (const Error& error) {
            fail(fmt::format("{}: \"{}\": {}", where_, key, error.what()));
        }
    }

    const Config& config_;
    std::string where_;
};

RecipeOptimizer optimizer_from(const Config& config) {
    RecipeOptimizer o;
    const Members members(config, "recipe's optimizer",
                          {"parameters", "kind", "learning_rate", "momentum", "nesterov", "weight_decay", "schedule",
                           "schedule_steps", "warmup", "newton_schulz_steps", "normalize_weights"});
    members.read("parameters", o.parameters);
    members.read("kind", o.kind, {"sgd", "adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta", "muon"});
    members.read("learning_rate", o.learning_rate, 0, 1e6);
    members.read("momentum", o.momentum, 0, 1);
    members.read("nesterov", o.nesterov);
    members.read("weight_decay", o.weight_decay, 0, 1e6);
    members.read("schedule", o.schedule, {"constant", "linear", "cosine", "step", "one-cycle"});
    members.read("schedule_steps", o.schedule_steps, 0);
    members.read("warmup", o.warmup, 0);
    members.read("newton_schulz_steps", o.newton_schulz_steps, 1);
    members.read("normalize_weights", o.normalize_weights);
    return o;
}

Config config_of(const RecipeOptimizer& o) {
    Config config;
    Config::Array names;
    for (const std::string& name : o.parameters) names.emplace_back(name);
    config.set("parameters", names).set("kind", o.kind).set("learning_rate", o.learning_rate);
    if (o.momentum > 0) config.set("momentum", o.momentum);
    if (o.nesterov) config.set("nesterov", true);
    if (o.weight_decay > 0) config.set("weight_decay", o.weight_decay);
    config.set("schedule", o.schedule);
    if (o.schedule_steps > 0) config.set("schedule_steps", o.schedule_steps);
    if (o.warmup > 0) config.set("warmup", o.warmup);
    if (o.kind == "muon")
        config.set("newton_schulz_steps", o.newton_schulz_steps).set("normalize_weights", o.normalize_weights);
    return config;
}

Augmentation augmentation_from(const Config& config) {
    Augmentation a;
    const Members members(config, "recipe's augment", {"pad", "flip", "padding", "alternating_flip", "cutout"});
    std::int64_t pad = a.pad, cutout = 0;
    std::string padding = "zero";
    members.read("pad", pad, 0);
    members.read("flip", a.flip);
    members.read("padding", padding, {"zero", "reflect"});
    members.read("alternating_flip", a.alternating_flip);
    members.read("cutout", cutout, 0);
    a.cutout = static_cast<int>(cutout);
    a.pad = static_cast<int>(pad);
    a.padding = padding == "zero" ? Augmentation::Padding::zero : Augmentation::Padding::reflect;
    return a;
}

RecipeResult result_from(const Config& config) {
    RecipeResult r;
    const Members members(config, "recipe's measured",
                          {"data", "accuracy", "seconds", "machine", "date", "precision", "epochs"});
    members.read("data", r.data);
    members.read("accuracy", r.accuracy, 0, 1);
    members.read("seconds", r.seconds, 0, 1e9);
    members.read("machine", r.machine);
    members.read("date", r.date);
    members.read("precision", r.precision);
    members.read("epochs", r.epochs, 0);
    return r;
}

std::string text_of(const RecipeOptimizer& o) {
    std::string text = fmt::format("{}, learning rate {}", o.kind, o.learning_rate);
    if (o.momentum > 0) text += fmt::format(", {}momentum {}", o.nesterov ? "Nesterov " : "", o.momentum);
    if (o.weight_decay > 0) text += fmt::format(", weight decay {}", o.weight_decay);
    text += fmt::format(", {} schedule", o.schedule);
    if (o.schedule_steps > 0) text += fmt::format(" of {} steps", o.schedule_steps);
    if (o.warmup > 0) text += fmt::format(", {} steps of warm-up", o.warmup);
    return text;
}

Schedule schedule_of(const RecipeOptimizer& o, std::int64_t all_steps) {
    const std::int64_t steps = o.schedule_steps > 0 ? o.schedule_steps : all_steps;
    check(o.warmup < steps, "warmup {} leaves none of the {} steps for the {} schedule", o.warmup, steps, o.schedule);
    const double rate = o.learning_rate;
    const std::int64_t rest = steps - o.warmup;
    Schedule schedule = rate;
    if (o.schedule == "linear")
        schedule = LinearDecay({.initial_learning_rate = rate, .decay_steps = rest});
    else if (o.schedule == "cosine")
        schedule = CosineDecay({.initial_learning_rate = rate, .decay_steps = rest});
    else if (o.schedule == "one-cycle")
        schedule = OneCycle({.max_learning_rate = rate, .total_steps = std::max<std::int64_t>(rest, 2)});
    else if (o.schedule == "step") {
        // He et al. 2015: a tenth after half, a hundredth after three quarters of the steps. (Of one step: neither.)
        const std::int64_t half = (rest + 1) / 2, three_quarters = (3 * rest + 3) / 4;
        schedule =
            PiecewiseConstantDecay({half - 1, std::max(three_quarters - 1, half)}, {rate, rate * 0.1, rate * 0.01});
    }
    return o.warmup > 0 ? Warmup(o.warmup, schedule) : schedule;
}

Optimizer optimizer_of(const RecipeOptimizer& o, std::int64_t steps) {
    const Schedule rate = schedule_of(o, steps);
    if (o.kind == "sgd")
        return SGD(
            {.learning_rate = rate, .momentum = o.momentum, .nesterov = o.nesterov, .weight_decay = o.weight_decay});
    if (o.kind == "adam") return Adam({.learning_rate = rate, .weight_decay = o.weight_decay});
    if (o.kind == "adamw") return AdamW({.learning_rate = rate, .weight_decay = o.weight_decay});
    if (o.kind == "nadam") return Nadam({.learning_rate = rate, .weight_decay = o.weight_decay});
    if (o.kind == "adamax") return Adamax({.learning_rate = rate, .weight_decay = o.weight_decay});
    if (o.kind == "adagrad") return Adagrad({.learning_rate = rate, .weight_decay = o.weight_decay});
    if (o.kind == "adadelta") return Adadelta({.learning_rate = rate, .weight_decay = o.weight_decay});
    if (o.kind == "muon")
        return Muon({.learning_rate = rate,
                     .momentum = o.momentum,
                     .nesterov = o.nesterov,
                     .weight_decay = o.weight_decay,
                     .newton_schulz_steps = static_cast<int>(o.newton_schulz_steps),
                     .normalize_weights = o.normalize_weights});
    return RMSprop({.learning_rate = rate, .momentum = o.momentum, .weight_decay = o.weight_decay});
}

}  // namespace

Recipe Recipe::from_config(const Config& config) {
    Recipe r;
    const Members members(config, "recipe",
                          {"name", "models", "description", "optimizers", "batch_size", "accumulate", "epochs",
                           "label_smoothing", "mixup", "augment", "test_augmentation", "whiten", "measured"});
    members.read("name", r.name);
    members.read("models", r.models);
    members.read("description", r.description);
    if (config.has("optimizers")) {
        r.optimizers.clear();
        for (const Config& item : config.at("optimizers").array()) r.optimizers.push_back(optimizer_from(item));
        check(!r.optimizers.empty(), "recipe: \"optimizers\" is empty");
    }
    members.read("batch_size", r.batch_size, 1);
    members.read("accumulate", r.accumulate, 1);
    members.read("epochs", r.epochs, 1);
    members.read("label_smoothing", r.label_smoothing, 0, 1);
    members.read("mixup", r.mixup, 0, 1e6);
    if (config.has("augment")) r.augment = augmentation_from(config.at("augment"));
    std::string test_augmentation = "none";
    members.read("test_augmentation", test_augmentation);
    r.test_augmentation = parse_test_augmentation(test_augmentation);
    members.read("whiten", r.whiten, 0);
    if (config.has("measured"))
        for (const Config& item : config.at("measured").array()) r.measured.push_back(result_from(item));
    return r;
}

Config Recipe::to_config() const {
    Config config;
    Config::Array names, parts, results;
    for (const std::string& model : models) names.emplace_back(model);
    for (const RecipeOptimizer& optimizer : optimizers) parts.push_back(config_of(optimizer));
    config.set("name", name).set("models", names).set("description", description).set("optimizers", parts);
    config.set("batch_size", batch_size).set("epochs", epochs);
    if (accumulate > 1) config.set("accumulate", accumulate);
    if (label_smoothing > 0) config.set("label_smoothing", label_smoothing);
    if (mixup > 0) config.set("mixup", mixup);
    if (augment)
        config.set("augment", Config()
                                  .set("pad", augment->pad)
                                  .set("flip", augment->flip)
                                  .set("padding", augment->padding == Augmentation::Padding::zero ? "zero" : "reflect")
                                  .set("alternating_flip", augment->alternating_flip)
                                  .set("cutout", augment->cutout));
    if (test_augmentation != TestAugmentation::none)
        config.set("test_augmentation", std::string(heddle::to_string(test_augmentation)));
    if (whiten > 0) config.set("whiten", whiten);
    for (const RecipeResult& r : measured) {
        results.push_back(Config()
                              .set("data", r.data)
                              .set("accuracy", r.accuracy)
                              .set("seconds", r.seconds)
                              .set("machine", r.machine)
                              .set("date", r.date)
                              .set("precision", r.precision)
                              .set("epochs", r.epochs));
    }
    return config.set("measured", results);
}

std::string Recipe::to_string() const {
    std::string text;
    for (const RecipeOptimizer& optimizer : optimizers) {
        if (optimizers.size() > 1) text += fmt::format("{}: ", fmt::join(optimizer.parameters, ", "));
        text += text_of(optimizer) + (optimizers.size() > 1 ? "; " : ", ");
    }
    text += fmt::format("batch {}{}, {} epoch{}", accumulate > 1 ? fmt::format("{} x ", accumulate) : "", batch_size,
                        epochs, epochs == 1 ? "" : "s");
    if (label_smoothing > 0) text += fmt::format(", label smoothing {}", label_smoothing);
    if (mixup > 0) text += fmt::format(", mixup {}", mixup);
    if (augment) {
        if (augment->pad > 0) text += fmt::format(", crop {}", augment->pad);
        if (augment->cutout > 0) text += fmt::format(", cutout {}", augment->cutout);
        if (augment->flip) text += augment->alternating_flip ? ", alternating flip" : ", flip";
    }
    if (whiten > 0) text += ", whitened";
    if (test_augmentation != TestAugmentation::none)
        text += fmt::format(", test augmentation {}", heddle::to_string(test_augmentation));
    return text;
}

Optimizer Recipe::make_optimizer(std::int64_t steps) const {
    if (optimizers.size() == 1 && optimizers[0].parameters == std::vector<std::string>{"*"})
        return optimizer_of(optimizers[0], steps);
    std::vector<OptimizerGroup> groups;
    for (const RecipeOptimizer& optimizer : optimizers)
        groups.push_back({optimizer.parameters, optimizer_of(optimizer, steps)});
    return OptimizerGroups(std::move(groups));
}

const std::vector<Recipe>& recipe_list() {
    static const std::vector<Recipe>& list = *[] {
        auto* recipes = new std::vector<Recipe>;
        for (const std::string_view text : detail::recipe_files())
            recipes->push_back(Recipe::from_config(Config::parse(text)));
        return recipes;
    }();
    return list;
}

Recipe find_recipe(const std::string& name_or_path) {
    if (name_or_path.ends_with(".json")) {
        const std::string text = detail::read_text_file(name_or_path);
        try {
            return Recipe::from_config(Config::parse(text));
        } catch (const Error& error) {
            fail(fmt::format("recipe {}: {}", name_or_path, error.what()));
        }
    }
    std::vector<std::string> names;
    for (const Recipe& recipe : recipe_list()) {
        if (recipe.name == name_or_path) return recipe;
        names.push_back(recipe.name);
    }
    fail(fmt::format("no recipe is called \"{}\"; there are: {}, or a file that ends in .json", name_or_path,
                     fmt::join(names, ", ")));
}

Recipe default_recipe(std::string_view model) {
    for (const Recipe& recipe : recipe_list())
        if (std::find(recipe.models.begin(), recipe.models.end(), model) != recipe.models.end()) return recipe;
    return {};
}

}  // namespace heddle
