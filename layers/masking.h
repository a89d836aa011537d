#pragma once

#include <string>

#include "layers/layer.h"

namespace heddle {

/// Masks the steps of sequences [batch, time, features...] whose features all equal `mask_value`. They become 0, and
/// the output carries a mask (ops/mask.h): recurrent layers and attention skip the steps; averages, losses and
/// metrics do not count them.
class HEDDLE_API Masking : public Layer {
  public:
    explicit Masking(double mask_value = 0, const std::string& name = {});
};

}  // namespace heddle
