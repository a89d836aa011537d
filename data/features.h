#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace heddle {

/// One row of `num_classes` numbers per label, 1 at the label and 0 elsewhere: integer labels [...] to f32 [...,
/// num_classes]. `num_classes` 0: one more than the largest label. Throws `Error` naming a label that is out of range.
HEDDLE_API Tensor to_categorical(const Tensor& labels, std::int64_t num_classes = 0);

/// Mean and standard deviation of each feature (the last axis). Taken from the training part alone, they scale any part
/// to about mean 0 and deviation 1, and predictions back.
struct HEDDLE_API FeatureScaling {
    std::vector<double> mean = {};
    std::vector<double> deviation = {};  ///< 1 for a feature that does not vary

    /// Of a floating tensor [..., features] with at least one row. Deviations are the population's (divided by N).
    static FeatureScaling of(const Tensor& x);
    /// (x - mean) / deviation; f32.
    Tensor apply(const Tensor& x) const;
    /// x deviation + mean; f32.
    Tensor invert(const Tensor& x) const;
    /// The scaling of one feature, to scale the forecast of one column back.
    FeatureScaling feature(std::int64_t index) const;
};

}  // namespace heddle
