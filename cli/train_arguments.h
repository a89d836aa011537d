#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/recipe.h"

namespace heddle::cli {

/// The options of `heddle train`.
struct TrainArguments {
    std::string model = {}, data = {};
    std::string label_column = {};  ///< of a CSV file; empty: SourceOptions' choice
    std::string recipe = {};        ///< empty: the model's own
    RecipeChanges changes = {};
    std::optional<std::int64_t> steps = {};
    double validation_split = 0;
    int image_size = 0;
    std::uint64_t seed = 0;
    std::string device = "cpu", precision = "f32";
    std::optional<std::size_t> resident_mib = {};  ///< of a device's memory, for data that stays there
    int threads = 0;
    std::string out = {};
    bool resume = false;
    bool tensorboard = false;
    std::int64_t checkpoint_steps = 0;
    std::int64_t log_steps = 0;
    bool json = false, quiet = false;
};

/// Returns the exit status.
int train(const TrainArguments& arguments);

}  // namespace heddle::cli
