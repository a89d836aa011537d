#pragma once

#include "kernels/table.h"
#include "kernels/view.h"

namespace heddle::kernels {

/// y = softmax(x), or log(softmax(x)), over the last axis. x and y: [..., classes], the same floating dtype; y may be
/// x. Rows are shifted by their maximum, so that large values do not overflow; a row of -inf gives NaN, as in PyTorch.
struct SoftmaxForward {
    View x;
    View y;
    bool log = false;

    auto members() const { return std::tie(x, y, log); }
};
HEDDLE_API KernelTable<SoftmaxForward>& softmax_forward();

/// dx from dy and the forward result y: softmax dx = y * (dy - sum(dy * y)); log-softmax dx = dy - exp(y) * sum(dy).
/// All [..., classes]; dx may be dy.
struct SoftmaxBackward {
    View y;
    View dy;
    View dx;
    bool log = false;

    auto members() const { return std::tie(y, dy, dx, log); }
};
HEDDLE_API KernelTable<SoftmaxBackward>& softmax_backward();

}  // namespace heddle::kernels
