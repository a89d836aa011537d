#pragma once

#include <string>

#include "train/history.h"

namespace heddle::cli {

/// Loss and accuracy over the epochs as a PNG, and the test set's (`test`: "loss" and "accuracy") as points at the last
/// epoch. Writes nothing where no epoch was finished.
void plot_curves(const std::string& path, const std::string& title, const History& history, const Result& test);

}  // namespace heddle::cli
