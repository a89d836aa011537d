#pragma once

#include <vector>

#include "core/tensor.h"

namespace heddle::detail {

/// The quotient of two sums that batches add to. Tensors on a device are added there, in place, so that a captured step
/// can do it; the host waits only when it reads.
class GatheredMean {
  public:
    /// Sets both to zero. The device's memory keeps its address, which graphs refer to.
    void reset();
    void add(double total, double count);
    /// The same for a total, or a mean over `count` things, in a tensor of one element.
    void add_total(const Tensor& total, double count) { add(total, 1, count); }
    void add_mean(const Tensor& mean, double count) { add(mean, count, count); }
    void add_total(const Tensor& total, const Tensor& count);

    /// NaN where nothing was added.
    double mean() const;
    /// Sum and count.
    std::vector<double> state() const;
    /// Throws `Error` unless there are two numbers.
    void set_state(const std::vector<double>& state);

  private:
    void add(const Tensor& value, double weight, double count);
    void move_to(Device device);
    void add_to(int place, const Tensor& value, double weight);

    double total_ = 0, count_ = 0;  // of the host
    Tensor sums_;                   // f64 [2] of the device, which continue what the host held
    Tensor zeros_, one_;            // of the device: what `sums_` begin with, and f32 [1] of 1
};

}  // namespace heddle::detail
