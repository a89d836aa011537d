#pragma once

#include "kernels/norm/norm.h"
#include "kernels/simt/native.h"

HEDDLE_KERNELS_BEGIN

/// For y = (x - mean) * factor + shift: f32 [channels] each, in memory of the device. The shift holds what rounding
/// took from the mean.
struct NormFactors {
    const float *factor, *shift;
};

/// Takes the statistics of the batch: writes `mean` and `inverse_deviation`, moves the running ones; the factors stand
/// in the workspace. Uses nothing of y, residual and activation.
NormFactors take_statistics(const BatchNormForward& args, KernelContext& context);
std::size_t statistics_workspace(const View& x);

HEDDLE_KERNELS_END
