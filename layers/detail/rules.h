#pragma once

#include "layers/activation.h"
#include "layers/initializer.h"
#include "layers/layer.h"

// Private to layers/: the options of weights in a layer's configuration. Regularizers and constraints ("rules") stand
// there only where they are set.
namespace heddle::detail {

template <class Rule>
void set_rule(Config& config, const char* key, const Rule& rule) {
    if (rule) config.set(key, rule.to_config());
}

template <class Rule>
Rule rule_of(const Config& config, const char* key) {
    return config.has(key) ? Rule::from_config(config.at(key)) : Rule();
}

/// Adds what all layers with a kernel and a bias have: activation, initializers and rules.
template <class Options>
Config with_kernel_options(Config config, const Options& options) {
    config.set("activation", std::string(Activation::name_of(options.activation)))
        .set("use_bias", options.use_bias)
        .set("kernel_initializer", options.kernel_initializer.to_config())
        .set("bias_initializer", options.bias_initializer.to_config());
    set_rule(config, "kernel_regularizer", options.kernel_regularizer);
    set_rule(config, "bias_regularizer", options.bias_regularizer);
    if constexpr (requires { options.kernel_constraint; })
        set_rule(config, "kernel_constraint", options.kernel_constraint);
    return config;
}

/// Reads the same back into `options`.
template <class Options>
Options kernel_options_of(const Config& config, Options options = {}) {
    options.activation = Activation::parse(config.at("activation").string());
    options.use_bias = config.at("use_bias").boolean();
    options.kernel_initializer = Initializer::from_config(config.at("kernel_initializer"));
    options.bias_initializer = Initializer::from_config(config.at("bias_initializer"));
    options.kernel_regularizer = rule_of<Regularizer>(config, "kernel_regularizer");
    options.bias_regularizer = rule_of<Regularizer>(config, "bias_regularizer");
    if constexpr (requires { options.kernel_constraint; })
        options.kernel_constraint = rule_of<Constraint>(config, "kernel_constraint");
    return options;
}

}  // namespace heddle::detail
