#pragma once

#include <string>
#include <vector>

#include "data/sources.h"
#include "train/classification.h"

namespace heddle::cli {

/// Pictures of how the test set was classified, in `folder`: confusion.png, and, where the examples are pictures,
/// mistakes.png, those with the highest loss. `log` is of one evaluation of `source.test`. Returns the names of the
/// files written; older ones that were not written anew are removed.
std::vector<std::string> write_test_pictures(const std::string& folder, const std::string& title,
                                             const DataSource& source, const ClassificationLog& log);

}  // namespace heddle::cli
