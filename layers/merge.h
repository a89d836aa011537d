#pragma once

#include "layers/layer.h"

namespace heddle {

/// The sum of its inputs, which have one shape.
class HEDDLE_API Add : public Layer {
  public:
    explicit Add(const std::string& name = {});
};

/// The product of its inputs, element by element.
class HEDDLE_API Multiply : public Layer {
  public:
    explicit Multiply(const std::string& name = {});
};

/// Its inputs one behind the other along `axis`, which counts the batch dimension (as in Keras); -1 is the last.
class HEDDLE_API Concatenate : public Layer {
  public:
    explicit Concatenate(int axis = -1, const std::string& name = {});
};

}  // namespace heddle
