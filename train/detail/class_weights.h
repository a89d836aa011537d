#pragma once

#include "core/tensor.h"
#include "train/class_weight.h"
#include "train/loss.h"

namespace heddle::detail {

/// Weights of classes on a device, as weights of examples.
class ClassWeights {
  public:
    /// Throws `Error` for a class or a weight below 0, or one that is not finite. Empty: no weights.
    ClassWeights(const ClassWeight& weights, Device device);

    bool defined() const { return table_.defined(); }
    /// f32, the weight of each label: [N], or [N, steps, ...]. Where targets are distributions the most probable class
    /// is the label, and a single output's target is rounded to one of two (both as in Keras). What a label out of
    /// range gets is not defined: losses tell of it, or leave it out. Throws `Error` where the targets of `loss` are no
    /// classes, and where the classes that the model tells apart are not those with a weight. Does not wait for a
    /// device.
    Tensor of(const Loss& loss, const Tensor& prediction, const Tensor& target) const;

  private:
    Tensor labels(const Loss& loss, const Tensor& prediction, const Tensor& target) const;

    Tensor table_;  // f32 [classes]
};

}  // namespace heddle::detail
