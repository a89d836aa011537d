#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "data/sources.h"
#include "train/model.h"

namespace heddle::cli {

/// What a file that holds weights alone does not say.
struct ModelShape {
    Shape input = {};
    std::int64_t classes = 0;
};

/// The model in a file that `heddle train` or `Model::save` wrote; with a name, that reference model with the file's
/// weights. A file of weights alone (PyTorch's names and layouts) needs the name and the shape. Throws `Error` where
/// something is missing, or the file is of another model.
Model open_model(const std::string& name, const std::string& path, const std::optional<ModelShape>& shape);

/// True where the file holds a whole model.
bool is_whole_model(const std::string& path);

/// The number of classes of a built model: the last extent of its output.
std::int64_t class_count(const Model& model);

/// Whether the model itself ends with a softmax or a sigmoid: then its outputs are probabilities, else logits.
bool gives_probabilities(const Model& model);

/// The data set at the size, and of the channels, that the model takes; `label_column` as in SourceOptions.
DataSource open_dataset_for(const Model& model, const std::string& name_or_path, const std::string& label_column);

/// Of the option --label-column.
inline constexpr const char* label_column_help =
    "Of a CSV file: the column of the labels [label, class or target, else the last one]";

}  // namespace heddle::cli
