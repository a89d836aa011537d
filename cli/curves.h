#pragma once

#include <string>

#include "data/picture.h"
#include "train/history.h"

namespace heddle::cli {

/// Loss and accuracy over the epochs, and the test set's (`test`: "loss" and "accuracy", where it has them) as points
/// at the last epoch. The history must have an epoch.
Picture draw_curves(const std::string& title, const History& history, const Result& test);

}  // namespace heddle::cli
