#include "cli/curves.h"

#include "data/plot.h"

namespace heddle::cli {
namespace {

PlotPanel panel(const char* title, const std::string& name, const History& history, const Result& test) {
    std::vector<double> epochs;
    for (const std::int64_t epoch : history.epochs()) epochs.push_back(static_cast<double>(epoch + 1));
    PlotPanel result{.title = title, .y_label = name};
    result.lines.push_back({.label = "training", .y = history.at(name), .x = epochs, .markers = true});
    if (history.has("val_" + name))
        result.lines.push_back({.label = "validation", .y = history.at("val_" + name), .x = epochs, .markers = true});
    if (test.has(name))
        result.lines.push_back({.label = "test", .y = {test.at(name)}, .x = {epochs.back()}, .markers = true});
    return result;
}

}  // namespace

Picture draw_curves(const std::string& title, const History& history, const Result& test) {
    return draw_lines({.title = title,
                       .panels = {panel("Loss", "loss", history, test), panel("Accuracy", "accuracy", history, test)}});
}

}  // namespace heddle::cli
