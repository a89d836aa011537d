#include "kernels/loss/loss.h"

#include "kernels/loss/implementations.h"

namespace heddle::kernels {
namespace {

// Never destroyed: plug-ins may use a table at exit.
template <class Args>
KernelTable<Args>& build(const char* operation) {
    auto& table = *new KernelTable<Args>(operation);
    add_reference(table);
    add_cpu(table);
    return table;
}

}  // namespace

KernelTable<CrossEntropyForward>& cross_entropy_forward() {
    static auto& table = build<CrossEntropyForward>("cross_entropy_forward");
    return table;
}

KernelTable<CrossEntropyBackward>& cross_entropy_backward() {
    static auto& table = build<CrossEntropyBackward>("cross_entropy_backward");
    return table;
}

KernelTable<LabelRange>& label_range() {
    static auto& table = build<LabelRange>("label_range");
    return table;
}

KernelTable<PointLossForward>& point_loss_forward() {
    static auto& table = build<PointLossForward>("point_loss_forward");
    return table;
}

KernelTable<PointLossBackward>& point_loss_backward() {
    static auto& table = build<PointLossBackward>("point_loss_backward");
    return table;
}

}  // namespace heddle::kernels
