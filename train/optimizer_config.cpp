#include <array>

#include "core/check.h"
#include "train/detail/optimizer_settings.h"
#include "train/detail/optimizer_state.h"
#include "train/optimizer_groups.h"

// Optimizers in saved models: their classes and settings, without what they have gathered.
namespace heddle {
namespace {

constexpr const char* groups_class = "OptimizerGroups";

template <class Class, class Options>
Optimizer made(const Config& config) {
    return Class(detail::read_settings<Options>(config));
}

struct Kind {
    const char* name;
    Optimizer (*make)(const Config& config);
};

constexpr std::array kinds{
    Kind{"SGD", made<SGD, SGDOptions>},
    Kind{"Adam", made<Adam, AdamOptions>},
    Kind{"AdamW", made<AdamW, AdamWOptions>},
    Kind{"Nadam", made<Nadam, NadamOptions>},
    Kind{"Adamax", made<Adamax, AdamaxOptions>},
    Kind{"RMSprop", made<RMSprop, RMSpropOptions>},
    Kind{"Adagrad", made<Adagrad, AdagradOptions>},
    Kind{"Adadelta", made<Adadelta, AdadeltaOptions>},
    Kind{"Muon", made<Muon, MuonOptions>},
};

OptimizerGroup group_from(const Config& config) {
    OptimizerGroup group;
    for (const Config& name : config.at("parameters").array()) group.parameters.push_back(name.string());
    group.optimizer = Optimizer::from_config(config.at("optimizer"));
    return group;
}

}  // namespace

Optimizer::Optimizer(std::shared_ptr<OptimizerImpl> impl, std::optional<Config> settings) : impl_(std::move(impl)) {
    impl_->state_->settings = std::move(settings);
}

std::optional<Config> Optimizer::config() const {
    const OptimizerImpl::State& state = *impl_->state_;
    if (state.groups.empty()) {
        std::optional<Config> config = state.settings;
        // What `set_learning_rate` has changed since.
        if (config && !follows_schedule()) config->set("learning_rate", learning_rate());
        return config;
    }
    Config::Array groups;
    for (const OptimizerGroup& group : state.groups) {
        const std::optional<Config> optimizer = group.optimizer.config();
        if (!optimizer) return std::nullopt;
        Config config;
        config.set("parameters", Config::Array(group.parameters.begin(), group.parameters.end()));
        config.set("optimizer", *optimizer);
        groups.push_back(std::move(config));
    }
    Config config;
    config.set(detail::class_key, groups_class).set("groups", groups);
    return config;
}

Optimizer Optimizer::from_config(const Config& config) {
    const std::string& name = config.at(detail::class_key).string();
    for (const Kind& kind : kinds)
        if (name == kind.name) return kind.make(config);
    check(name == groups_class, "no class of optimizers is called \"{}\"", name);
    std::vector<OptimizerGroup> groups;
    for (const Config& group : config.at("groups").array()) groups.push_back(group_from(group));
    return OptimizerGroups(std::move(groups));
}

}  // namespace heddle
