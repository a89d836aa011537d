#pragma once

#include "kernels/norm/norm.h"
#include "kernels/pool/pool.h"

/// Batch normalisation in training with a max pooling behind it, as one operation: the normalised pictures, which only
/// the pooling would read, are never in memory. The norm is monotonic in x, so that x itself is pooled (its smallest
/// elements where the scale is negative) and only what wins is normalised.
namespace heddle::kernels {

/// y = the maximum of each window of activation((x - mean) * inverse_deviation * scale + offset), with the statistics
/// of this batch. x, scale, offset, the statistics and their errors: as in `BatchNormForward`; windows and index: as in
/// `MaxPool2dForward`, but that of several x that become the same y the largest wins (where the scale is negative, the
/// smallest), and of equal x the first.
struct BatchNormPoolForward {
    View x;            ///< [N, H, W, C], not empty
    View scale = {};   ///< [C]; absent: 1
    View offset = {};  ///< [C]; absent: 0
    Pool2dParams params;
    FusedActivation activation = FusedActivation::none;
    float epsilon = 1e-3f;
    View y;                      ///< `output_shape` of x
    View picked = {};            ///< the shape of y: the elements of x that won; absent: not wanted
    View index = {};             ///< the shape of y, dtype `index_dtype`; absent: not wanted
    View mean;                   ///< [C], output: saved for the backward step
    View inverse_deviation;      ///< [C], output: saved for the backward step
    View running_mean = {};      ///< [C], updated in place; absent: not kept
    View running_variance = {};  ///< [C], updated in place; absent: not kept
    float momentum = 0.01f;      ///< the fraction taken of the new batch's statistics
    bool unbiased_running_variance = false;

    auto members() const {
        return std::tie(x, scale, offset, params, activation, y, picked, index, mean, inverse_deviation, running_mean,
                        running_variance, unbiased_running_variance);
    }
    /// The norm alone; its y is absent.
    BatchNormForward norm() const {
        return {.x = x,
                .scale = scale,
                .offset = offset,
                .activation = activation,
                .epsilon = epsilon,
                .y = {},
                .mean = mean,
                .inverse_deviation = inverse_deviation,
                .running_mean = running_mean,
                .running_variance = running_variance,
                .momentum = momentum,
                .unbiased_running_variance = unbiased_running_variance};
    }
};
HEDDLE_API KernelTable<BatchNormPoolForward>& batch_norm_pool_forward();

/// The gradients. g: [N, H, W, C], to which each dy goes as in `MaxPool2dBackward` (with relu: where y > 0); with n =
/// (x - mean) * inverse_deviation and rows = N * H * W:
///   doffset = sum(g), dscale = sum(g * n), of which only the elements in `picked` have a part, and
///   dx = scale * inverse_deviation * (g - doffset / rows - n * dscale / rows).
struct BatchNormPoolBackward {
    View x;       ///< [N, H, W, C]
    View picked;  ///< as saved
    View index;   ///< as saved
    View y = {};  ///< the forward result; needed for relu only
    View dy;
    View scale = {};  ///< [C]; absent: 1
    View mean;        ///< [C], as saved
    View inverse_deviation;
    Pool2dParams params;
    FusedActivation activation = FusedActivation::none;
    View dx = {};       ///< the shape of x; absent: not wanted
    View dscale = {};   ///< [C]; absent: not wanted
    View doffset = {};  ///< [C]; absent: not wanted

    auto members() const {
        return std::tie(x, picked, index, y, dy, scale, mean, inverse_deviation, params, activation, dx, dscale,
                        doffset);
    }
    /// Its sums alone, over the elements that won, into `dscale_to` and `doffset_to`.
    BatchNormBackward sums(const View& dscale_to, const View& doffset_to) const {
        return {.x = picked,
                .y = y,
                .dy = dy,
                .scale = scale,
                .mean = mean,
                .inverse_deviation = inverse_deviation,
                .activation = activation,
                .dscale = dscale_to,
                .doffset = doffset_to};
    }
};
HEDDLE_API KernelTable<BatchNormPoolBackward>& batch_norm_pool_backward();

}  // namespace heddle::kernels
