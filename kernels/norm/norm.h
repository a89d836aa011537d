#pragma once

#include "kernels/activation.h"
#include "kernels/table.h"
#include "kernels/view.h"

/// Batch normalisation (Ioffe and Szegedy, 2015, arXiv:1502.03167) over the last axis of [..., C]. "Rows" are all other
/// axes flattened: a channel's statistics are taken over the rows, of which there is at least one. Channel vectors
/// (scale, mean, ...) are [C] and of the dtype of x, or f32 where x has 16 bits; x, y, residual and their gradients
/// have one floating dtype.
namespace heddle::kernels {

/// Training: y = activation((x - mean) * inverse_deviation * scale + offset + residual), with the mean and the biased
/// variance of this batch, inverse_deviation = 1 / sqrt(variance + epsilon). The variance is taken about the mean,
/// never as E[x²] - mean²; the statistics do not depend on the number of threads. (On a GPU a variance above the range
/// of f32 is infinite.)
struct BatchNormForward {
    View x;              ///< [..., C]
    View scale = {};     ///< [C]; absent: 1
    View offset = {};    ///< [C]; absent: 0
    View residual = {};  ///< the shape of x; absent: 0
    FusedActivation activation = FusedActivation::none;
    float epsilon = 1e-3f;
    View y;                      ///< the shape of x; may be x or residual
    View mean;                   ///< [C], output: saved for the backward step
    View inverse_deviation;      ///< [C], output: saved for the backward step
    View running_mean = {};      ///< [C], updated in place; absent: not kept
    View running_variance = {};  ///< [C], updated in place; absent: not kept
    /// The fraction taken of the new batch's statistics, as in PyTorch: running = (1 - momentum) * running + momentum *
    /// batch. (Keras's momentum is 1 minus this.)
    float momentum = 0.01f;
    /// Whether running_variance takes the unbiased variance (sum / (rows - 1): PyTorch) or the biased one (Keras). A
    /// single row has no unbiased variance: its biased one, 0, is taken.
    bool unbiased_running_variance = false;

    auto members() const {
        return std::tie(x, scale, offset, residual, activation, y, mean, inverse_deviation, running_mean,
                        running_variance, unbiased_running_variance);
    }
};
HEDDLE_API KernelTable<BatchNormForward>& batch_norm_forward();

/// Inference: y = activation((x - mean) / sqrt(variance + epsilon) * scale + offset + residual), fixed statistics.
struct BatchNormInference {
    View x;              ///< [..., C]
    View scale = {};     ///< [C]; absent: 1
    View offset = {};    ///< [C]; absent: 0
    View residual = {};  ///< the shape of x; absent: 0
    View mean;           ///< [C]
    View variance;       ///< [C]
    FusedActivation activation = FusedActivation::none;
    float epsilon = 1e-3f;
    View y;  ///< the shape of x; may be x or residual

    auto members() const { return std::tie(x, scale, offset, residual, mean, variance, activation, y); }
};
HEDDLE_API KernelTable<BatchNormInference>& batch_norm_inference();

/// The gradients of both. With g = dy where y > 0, else 0 (relu; an infinite dy may give NaN there), or g = dy (none),
/// and n = (x - mean) * inverse_deviation:
///   doffset = sum(g), dscale = sum(g * n), dresidual = g, and
///   dx = scale * inverse_deviation * (g - doffset / rows - n * dscale / rows)   where the statistics came from x,
///   dx = scale * inverse_deviation * g                                          where they were fixed.
struct BatchNormBackward {
    View x;       ///< [..., C]
    View y = {};  ///< the forward result; needed for relu only
    View dy;
    View scale = {};  ///< [C]; absent: 1
    View mean;        ///< [C], as saved; where statistics were fixed, the running mean
    View inverse_deviation;
    FusedActivation activation = FusedActivation::none;
    bool training = true;  ///< false: the statistics were fixed (inference, frozen layers)
    View dx = {};          ///< absent: not wanted; may be dy unless dresidual is (which is fastest)
    View dscale = {};      ///< [C]; absent: not wanted
    View doffset = {};     ///< [C]; absent: not wanted
    View dresidual = {};   ///< the shape of x; absent: not wanted; may be dy unless dx is (which is fastest)

    auto members() const {
        return std::tie(x, y, dy, scale, mean, inverse_deviation, activation, training, dx, dscale, doffset, dresidual);
    }
};
HEDDLE_API KernelTable<BatchNormBackward>& batch_norm_backward();

}  // namespace heddle::kernels
