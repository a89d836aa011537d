#pragma once

#include "layers/layer.h"

namespace heddle {

/// The sum of its inputs, which have one shape.
class HEDDLE_API Add : public Layer {
  public:
    explicit Add(const std::string& name = {});
};

/// The first of two inputs less the second.
class HEDDLE_API Subtract : public Layer {
  public:
    explicit Subtract(const std::string& name = {});
};

/// The product of its inputs, element by element.
class HEDDLE_API Multiply : public Layer {
  public:
    explicit Multiply(const std::string& name = {});
};

/// The mean of its inputs, element by element.
class HEDDLE_API Average : public Layer {
  public:
    explicit Average(const std::string& name = {});
};

/// The larger of its inputs, element by element.
class HEDDLE_API Maximum : public Layer {
  public:
    explicit Maximum(const std::string& name = {});
};

/// The smaller of its inputs, element by element.
class HEDDLE_API Minimum : public Layer {
  public:
    explicit Minimum(const std::string& name = {});
};

struct DotOptions {
    bool normalize = false;  ///< vectors are scaled to norm 1 first (cosine similarity)
    std::string name = {};
};

/// Scalar products over one axis of each of two inputs; axes count the batch dimension (as in Keras). [batch, n] with
/// [batch, n] gives [batch, 1], [batch, a, n] with [batch, n] gives [batch, a], [batch, a, n] with [batch, b, n] gives
/// [batch, a, b].
class HEDDLE_API Dot : public Layer {
  public:
    explicit Dot(int axis, const DotOptions& options = {}) : Dot(axis, axis, options) {}
    Dot(int first_axis, int second_axis, const DotOptions& options = {});
};

/// Its inputs concatenated along `axis`, which counts the batch dimension (as in Keras); -1 is the last.
class HEDDLE_API Concatenate : public Layer {
  public:
    explicit Concatenate(int axis = -1, const std::string& name = {});
};

}  // namespace heddle
