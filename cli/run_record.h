#pragma once

#include <string>

#include "core/config.h"

namespace heddle::cli {

/// In a run's folder: what was run. "status" is "running", "interrupted" or "complete", "started" a time, "settings",
/// "recipe" and "versions" are objects, "files" lists the names of what was written, "summary" is the model's table,
/// and of a complete run "results" has what `heddle train --json` says at the end.
inline constexpr const char* run_record_file = "run.json";

/// In a run's folder: events for TensorBoard.
inline constexpr const char* tensorboard_folder = "tensorboard";

/// Of Heddle, of the libraries below it, and of the processor's instructions.
Config version_record();

/// "2026-01-31 13:05:00 UTC".
std::string present_time();

}  // namespace heddle::cli
