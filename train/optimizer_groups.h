#pragma once

#include <string>
#include <vector>

#include "train/optimizer.h"

namespace heddle {

struct OptimizerGroup {
    /// Names of parameters, with the shell's wildcards: "fc.*", "*.bias", "layer[34].*".
    std::vector<std::string> parameters = {};
    Optimizer optimizer = {};
};

/// Parameter groups: each parameter follows the optimizer of the first group that has a name for it, with that group's
/// rate, schedule, decay and clipping. A parameter that no group names is an `Error`; one that is not to be trained is
/// frozen with `set_trainable(false)`. `learning_rate()` is that of the first group.
///
///     OptimizerGroups({{{"*conv*.weight"}, Muon({.learning_rate = 0.02})},
///                      {{"*"}, AdamW({.learning_rate = 1e-3})}})
class HEDDLE_API OptimizerGroups : public Optimizer {
  public:
    explicit OptimizerGroups(std::vector<OptimizerGroup> groups);
};

}  // namespace heddle
