#pragma once

#include "core/config.h"
#include "core/tensor.h"

namespace heddle {

/// A penalty on one weight, added to the loss in training and evaluation: l1 sum |w| + l2 sum w^2. Given to a layer as
/// `.kernel_regularizer = L2(1e-4)`; "l1" and "l2" give one with Keras' default of 0.01.
class HEDDLE_API Regularizer {
  public:
    Regularizer() = default;  ///< none
    Regularizer(double l1, double l2);
    /// Throws `Error` for another name.
    Regularizer(const char* name);

    double l1() const { return l1_; }
    double l2() const { return l2_; }
    explicit operator bool() const { return l1_ > 0 || l2_ > 0; }

    /// The penalty, a scalar that gradients flow through; undefined where there is none.
    Tensor operator()(const Tensor& weight) const;

    Config to_config() const;
    static Regularizer from_config(const Config& config);

  private:
    double l1_ = 0, l2_ = 0;
};

/// l1 sum |w|: drives weights to zero.
class HEDDLE_API L1 : public Regularizer {
  public:
    explicit L1(double l1 = 0.01) : Regularizer(l1, 0) {}
};
/// l2 sum w^2.
class HEDDLE_API L2 : public Regularizer {
  public:
    explicit L2(double l2 = 0.01) : Regularizer(0, l2) {}
};
/// Both.
class HEDDLE_API L1L2 : public Regularizer {
  public:
    explicit L1L2(double l1 = 0, double l2 = 0) : Regularizer(l1, l2) {}
};

}  // namespace heddle
