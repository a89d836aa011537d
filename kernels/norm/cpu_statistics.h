#pragma once

#include "kernels/norm/cpu_loops.h"
#include "kernels/norm/norm.h"

namespace heddle::kernels {

/// How the CPU walks over x: its last axis are the channels.
Strips strips_of(const View& x);

/// The strips that `normalize` takes.
struct Coefficients {
    float *mean, *factor, *shift;

    Coefficients(const Strips& strips, float* memory)
        : mean(memory), factor(memory + strips.strip), shift(memory + 2 * strips.strip) {}

    /// x - mean is taken first, with the mean rounded to float; what rounding took goes into the shift, so that a mean
    /// of thousands of deviations costs no digits.
    void set(std::int64_t c, double exact_mean, double exact_factor, double offset) {
        mean[c] = static_cast<float>(exact_mean);
        factor[c] = static_cast<float>(exact_factor);
        shift[c] = static_cast<float>(offset - (exact_mean - double(mean[c])) * exact_factor);
    }

    void repeat(const Strips& strips) {
        repeat_first_row(strips, mean);
        repeat_first_row(strips, factor);
        repeat_first_row(strips, shift);
    }
};

/// The element of an optional channel vector.
inline float at(const View& vector, std::int64_t channel, float absent) {
    return vector ? vector.as<float>()[channel] : absent;
}

/// Takes the statistics of the batch: writes `mean` and `inverse_deviation`, moves the running ones, and returns what
/// `normalize` needs, in the workspace. Uses nothing of y, residual and activation. x is f32 or bf16.
Coefficients take_statistics(const BatchNormForward& args, KernelContext& context);
std::size_t statistics_workspace(const View& x);

}  // namespace heddle::kernels
