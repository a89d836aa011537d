#pragma once

#include "core/config.h"
#include "train/model.h"

namespace heddle::detail {

/// How a model is trained and judged, for its file: optimizer, loss, metrics and penalties, without the precision,
/// which is the machine's matter. Where one of them is a function of the program, its only member says which:
/// "missing".
Config compile_config(const CompileOptions& options);

/// Compiles the model as a file says, or notes why it cannot be. Throws `Error` for what this version does not know.
void compile_from(const Model& model, const Config& config);

}  // namespace heddle::detail
