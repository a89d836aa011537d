#pragma once

#include "layers/layer.h"

// Private to layers/: regularizers and constraints in a layer's configuration, which has them only where there are
// some.
namespace heddle::detail {

template <class Rule>
void set_rule(Config& config, const char* key, const Rule& rule) {
    if (rule) config.set(key, rule.to_config());
}

template <class Rule>
Rule rule_of(const Config& config, const char* key) {
    return config.has(key) ? Rule::from_config(config.at(key)) : Rule();
}

/// `config` with the rules among a layer's options.
template <class Options>
Config with_rules(Config config, const Options& options) {
    set_rule(config, "kernel_regularizer", options.kernel_regularizer);
    set_rule(config, "bias_regularizer", options.bias_regularizer);
    if constexpr (requires { options.kernel_constraint; })
        set_rule(config, "kernel_constraint", options.kernel_constraint);
    return config;
}

}  // namespace heddle::detail
