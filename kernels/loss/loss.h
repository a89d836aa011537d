#pragma once

#include <cstdint>
#include <limits>

#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

/// No label is ignored.
inline constexpr std::int64_t no_ignored_label = std::numeric_limits<std::int64_t>::min();

/// Softmax and cross-entropy in one pass over each row of logits.
///
/// Labels are sparse (i32, i64 or u8, [rows]: the class of each row) or dense (the dtype of the logits, [rows,
/// classes]: probabilities). With smoothing s the target is q = (1 - s) * label + s / classes, and loss = -sum_c q_c
/// log softmax(logits)_c. "Wide" is the dtype of the logits, or f32 where that has 16 bits. Rows are shifted by their
/// maximum, so that large logits do not overflow; a target of 0 on a logit of -inf contributes 0. A sparse label that
/// is no class makes the loss of its row NaN, and the gradient: never an address.
struct CrossEntropyForward {
    View logits;                                   ///< [rows, classes], floating (more leading axes count as rows)
    View labels;                                   ///< sparse or dense
    float label_smoothing = 0;                     ///< 0 <= s <= 1
    std::int64_t ignore_index = no_ignored_label;  ///< sparse rows of this label have loss 0 and no gradient
    View loss;                                     ///< [rows], wide
    View log_sum;  ///< [rows], wide, for the backward step: log sum_c exp(logit_c - largest logit of the row)
};
HEDDLE_API KernelTable<CrossEntropyForward>& cross_entropy_forward();

/// dlogits = (softmax(logits) * sum_c q_c - q) * dloss * scale; 0 in ignored rows. `dlogits` may be `logits`.
struct CrossEntropyBackward {
    View logits;
    View labels;
    float label_smoothing = 0;
    std::int64_t ignore_index = no_ignored_label;
    View log_sum;     ///< as the forward step left it
    View dloss;       ///< [rows], or one element: the same for every row; wide
    float scale = 1;  ///< multiplies dloss: 1 / rows for a mean over rows
    View dlogits;     ///< [rows, classes]
};
HEDDLE_API KernelTable<CrossEntropyBackward>& cross_entropy_backward();

/// Finds the first label that is neither in 0 .. classes - 1 nor `ignore_index`.
struct LabelRange {
    View labels;  ///< i32, i64 or u8, [rows]
    std::int64_t classes = 0;
    std::int64_t ignore_index = no_ignored_label;
    View result;  ///< i64 [1]: the index of the first bad row, or -1
};
HEDDLE_API KernelTable<LabelRange>& label_range();

/// Losses of each element alone; d = prediction - target.
enum class PointLoss {
    mse,              ///< d^2
    mae,              ///< |d|; its gradient at d = 0 is 0
    huber,            ///< d^2 / 2 where |d| <= delta, else delta * (|d| - delta / 2)
    bce_with_logits,  ///< binary cross-entropy of sigmoid(prediction), computed without overflow
    bce  ///< binary cross-entropy of a probability, clipped to [1e-7, 1 - 1e-7] as in Keras: no gradient beyond
};

/// loss = kind(prediction, target), element by element; all three have one shape. Predictions and targets have one
/// floating dtype, the loss (and dloss) too, or f32 where that has 16 bits. Means and sums are taken by reductions, or
/// folded into `scale` of the backward step.
struct PointLossForward {
    PointLoss kind = PointLoss::mse;
    float delta = 1;  ///< of huber, > 0
    View prediction;
    View target;
    View loss;
};
HEDDLE_API KernelTable<PointLossForward>& point_loss_forward();

/// dprediction = dloss * scale * (d loss / d prediction). `dprediction` may be `prediction`.
struct PointLossBackward {
    PointLoss kind = PointLoss::mse;
    float delta = 1;
    View prediction;
    View target;
    View dloss;       ///< the shape of the prediction, or one element: the same everywhere
    float scale = 1;  ///< 1 / elements for a mean
    View dprediction;
};
HEDDLE_API KernelTable<PointLossBackward>& point_loss_backward();

}  // namespace heddle::kernels
