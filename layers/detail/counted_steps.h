#pragma once

#include "core/tensor.h"

// Private to layers/: what recurrent layers make of a mask.
namespace heddle::detail {

/// Moves the steps of sequences that count by a mask to the front, because kernels know only lengths. On the CPU
/// nothing is moved if they are in front already; on a device that is not checked, since the host would have to wait.
class CountedSteps {
  public:
    /// Of a boolean mask [batch, time].
    explicit CountedSteps(const Tensor& mask);

    /// i32 [batch]: how many steps of each row count.
    const Tensor& lengths() const { return lengths_; }
    /// x [batch, time, features] with the steps that count first, each kind in its order; `put_back` undoes it.
    Tensor in_front(const Tensor& x) const { return moved(x, order_); }
    Tensor put_back(const Tensor& y) const { return moved(y, places_); }

  private:
    static Tensor moved(const Tensor& x, const Tensor& rows);

    Tensor lengths_;
    Tensor order_, places_;  // i64 [batch * time], rows of [batch * time, features]; undefined: as they are
};

}  // namespace heddle::detail
