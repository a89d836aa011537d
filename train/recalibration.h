#pragma once

#include <cstdint>

#include "core/export.h"
#include "data/dataset.h"
#include "train/model.h"

namespace heddle {

struct RecalibrationOptions {
    std::int64_t batch_size = 128;
    std::int64_t batches = 0;  ///< so many of them; 0: all examples
    std::uint64_t seed = 0;    ///< of the examples' order (they are shuffled) and augmentation
};

/// Computes the running statistics of every BatchNormalization anew, as the exact mean and variance of what reaches it
/// over the batches, while each batch is normalised by its own; weights stay as they are. For a model whose weights did
/// not train with the statistics it has: after weight averaging (PyTorch's `torch.optim.swa_utils.update_bn`, which
/// averages the batches' variances instead and leaves dropout on; here it is off, as in inference). Augmentation stays
/// on; frozen layers keep their statistics. Returns the number of layers; 0, and nothing is done, where there are none.
HEDDLE_API std::int64_t recalibrate(const Model& model, const Dataset& data, const RecalibrationOptions& options = {});

}  // namespace heddle
