#pragma once

#include "kernels/table.h"
#include "kernels/view.h"

/// Layer normalisation (Ba, Kiros and Hinton, 2016, arXiv:1607.06450) over the last axis of [..., C]. "Rows" are all
/// other axes flattened. Vectors (scale, offset and their gradients [C]; mean, inverse_deviation [rows]) have the dtype
/// of x, or f32 where x has 16 bits; x, y and their gradients have one floating dtype. C is at least 1.
namespace heddle::kernels {

/// y = (x - mean) * inverse_deviation * scale + offset, with each row's mean and biased variance, inverse_deviation =
/// 1 / sqrt(variance + epsilon). The variance is taken about the mean, never as E[x²] - mean².
struct LayerNormForward {
    View x;            ///< [..., C]
    View scale = {};   ///< [C]; absent: 1
    View offset = {};  ///< [C]; absent: 0
    float epsilon = 1e-3f;
    View y;                  ///< the shape of x; may be x
    View mean;               ///< [rows], output: saved for the backward step
    View inverse_deviation;  ///< [rows], output: saved for the backward step

    auto members() const { return std::tie(x, scale, offset, y, mean, inverse_deviation); }
};
HEDDLE_API KernelTable<LayerNormForward>& layer_norm_forward();

/// With n = (x - mean) * inverse_deviation and g = dy * scale:
///   doffset = sum over rows of dy, dscale = sum over rows of dy * n,
///   dx = inverse_deviation * (g - mean(g) - n * mean(g * n)), the means over the row.
struct LayerNormBackward {
    View x;
    View dy;
    View scale = {};  ///< [C]; absent: 1
    View mean;        ///< [rows], as saved
    View inverse_deviation;
    View dx = {};       ///< the shape of x; absent: not wanted; may be dy where dscale and doffset are absent
    View dscale = {};   ///< [C]; absent: not wanted
    View doffset = {};  ///< [C]; absent: not wanted

    auto members() const { return std::tie(x, dy, scale, mean, inverse_deviation, dx, dscale, doffset); }
};
HEDDLE_API KernelTable<LayerNormBackward>& layer_norm_backward();

}  // namespace heddle::kernels
