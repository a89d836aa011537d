#pragma once

#include <string>

#include "layers/layer.h"

namespace heddle {

/// Leaves steps of sequences out: those of [batch, time, features...] whose features all equal `mask_value`. They
/// become 0, and a mask goes on with the tensor (ops/mask.h): recurrent layers and attention pass the steps over,
/// averages, losses and metrics do not count them.
class HEDDLE_API Masking : public Layer {
  public:
    explicit Masking(double mask_value = 0, const std::string& name = {});
};

}  // namespace heddle
