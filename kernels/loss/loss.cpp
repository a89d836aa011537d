#include "kernels/loss/loss.h"

#include "kernels/built_in.h"
#include "kernels/loss/implementations.h"

namespace heddle::kernels {

KernelTable<CrossEntropyForward>& cross_entropy_forward() {
    static auto& table = make_table<CrossEntropyForward>("cross_entropy_forward");
    return table;
}

KernelTable<CrossEntropyBackward>& cross_entropy_backward() {
    static auto& table = make_table<CrossEntropyBackward>("cross_entropy_backward");
    return table;
}

KernelTable<LabelRange>& label_range() {
    static auto& table = make_table<LabelRange>("label_range");
    return table;
}

KernelTable<PointLossForward>& point_loss_forward() {
    static auto& table = make_table<PointLossForward>("point_loss_forward");
    return table;
}

KernelTable<PointLossBackward>& point_loss_backward() {
    static auto& table = make_table<PointLossBackward>("point_loss_backward");
    return table;
}

}  // namespace heddle::kernels
