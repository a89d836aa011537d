#pragma once

#include <cstdint>

#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

/// What lies outside a picture: 0, or the picture mirrored without its edge (numpy's "reflect").
enum class CropPadding { zero, reflect };

/// A batch from a set of pictures in one pass: gather, pad, crop, flip, normalise, cut out.
///
/// y[i, r, c, k] = (scale * P(r + dy_i, c' + dx_i, k) - mean[k]) * inverse_deviation[k], where P is picture indices[i],
/// continued outside as `mode` says, and c' = c, or out_width - 1 - c where picture i is flipped. Padding comes before
/// normalisation, as in torchvision's usual pipeline: a zero-padded pixel becomes -mean * inverse_deviation.
///
/// Implementations but the reference compute fma(pixel, scale * inverse_deviation, 0 - mean * inverse_deviation) in f32
/// and round once more where y has 16 bits, so that a batch has the same bits wherever it is put together.
struct ImageBatch {
    View pictures;  ///< u8 or the dtype of y, [count, height, width, channels]: the whole set
    View indices;   ///< i64 [n], each in 0 .. count - 1
    /// i64 [1]: the batch begins at this row of indices, shifts, flips and holes, which then have more rows than n: an
    /// epoch's, of which a captured step takes the next ones by a number in the device's memory. Absent: 0
    View first = {};
    /// i32 [n, 2]: (dy, dx), the place of the crop window's corner in the unpadded picture; -pad <= dy <= height + pad
    /// - out_height, and dx likewise. Absent: the window is centred, (height - out_height) / 2 rounded down.
    View shifts = {};
    View flips = {};       ///< u8 [n]: 1 mirrors left and right. Absent: none
    std::int64_t pad = 0;  ///< how far windows may reach outside; for reflect less than height and width
    CropPadding mode = CropPadding::zero;
    View mean = {};               ///< f32 [channels]; absent: 0
    View inverse_deviation = {};  ///< f32 [channels]; absent: 1
    float scale = 1;              ///< 1 / 255 for u8, usually
    /// i32 [n, 2]: row and column in y of the corner of a square of `hole` pixels whose elements become 0 (the mean,
    /// where there is one); it may reach beyond the picture (DeVries and Taylor, "Cutout", 2017, arXiv:1708.04552).
    /// Absent: none
    View holes = {};
    std::int64_t hole = 0;
    View labels = {};   ///< i64 [count], which come along: targets[i] = labels[indices[i]]. Absent: none
    View targets = {};  ///< i64 [n], where there are labels
    View y;             ///< floating, [n, out_height, out_width, channels]
};
HEDDLE_API KernelTable<ImageBatch>& image_batch();

/// Bilinear interpolation between pixel centres (PyTorch's align_corners = false, Keras's default), no antialiasing:
/// output row r looks at input row (r + 0.5) * height / out_height - 0.5, not above 0 or below the last; columns
/// likewise.
struct ResizeBilinear {
    View x;  ///< u8 or the dtype of y, [count, height, width, channels]
    View y;  ///< floating, [count, out_height, out_width, channels]; values keep the range of x
};
HEDDLE_API KernelTable<ResizeBilinear>& resize_bilinear();

}  // namespace heddle::kernels
