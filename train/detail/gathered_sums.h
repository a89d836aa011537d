#pragma once

#include <span>
#include <vector>

#include "core/tensor.h"

namespace heddle::detail {

/// Several sums that batches add to, as a GatheredMean does to two: what is on a device is added there, in f64 and in
/// place, so that a captured step gathers too; the host waits only when it reads. Their number is that of the first
/// batch.
class GatheredSums {
  public:
    /// To zero. The device's memory stays where it is: graphs know its address.
    void reset();
    void add(std::span<const double> values);
    /// f32 [n] of a device.
    void add(const Tensor& values);

    /// Empty where nothing was ever added.
    std::vector<double> sums() const;
    void set(const std::vector<double>& sums);

  private:
    std::vector<double> host_;
    Tensor device_, zeros_;  // f64 [n], beside what the host holds; and what that begins with
};

}  // namespace heddle::detail
