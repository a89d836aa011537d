#include "train/detail/compile_config.h"

#include <string>
#include <vector>

#include "core/check.h"
#include "train/detail/state.h"

namespace heddle::detail {
namespace {

/// What of the options has no configuration; empty where all have one.
std::string missing_of(const CompileOptions& options) {
    if (!options.optimizer.config())
        return fmt::format("the optimizer {} or its schedule is the program's own", options.optimizer.class_name());
    if (!options.loss.config()) return fmt::format("the loss \"{}\" is the program's own", options.loss.name());
    for (const auto* list : {&options.metrics, &options.weighted_metrics})
        for (const Metric& metric : *list)
            if (!metric.config()) return fmt::format("the metric \"{}\" is the program's own", metric.name());
    return {};
}

Config::Array configs_of(const std::vector<Metric>& metrics) {
    Config::Array all;
    for (const Metric& metric : metrics) all.push_back(*metric.config());
    return all;
}

std::vector<Metric> metrics_from(const Config& config) {
    std::vector<Metric> all;
    for (const Config& metric : config.array()) all.push_back(Metric::from_config(metric));
    return all;
}

}  // namespace

Config compile_config(const CompileOptions& options) {
    Config config;
    if (const std::string missing = missing_of(options); !missing.empty()) return config.set("missing", missing);
    config.set("optimizer", *options.optimizer.config())
        .set("loss", *options.loss.config())
        .set("metrics", configs_of(options.metrics))
        .set("weighted_metrics", configs_of(options.weighted_metrics))
        .set("l1", options.l1)
        .set("l2", options.l2);
    return config;
}

void compile_from(const Model& model, const Config& config) {
    if (config.has("missing")) {
        ModelAccess::state(model).why_not_compiled = config.at("missing").string();
        return;
    }
    model.compile({.optimizer = Optimizer::from_config(config.at("optimizer")),
                   .loss = Loss::from_config(config.at("loss")),
                   .metrics = metrics_from(config.at("metrics")),
                   .weighted_metrics = metrics_from(config.at("weighted_metrics")),
                   .l1 = config.at("l1").number(),
                   .l2 = config.at("l2").number()});
}

}  // namespace heddle::detail
