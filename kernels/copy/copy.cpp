#include "kernels/copy/copy.h"

#include "kernels/built_in.h"
#include "kernels/copy/implementations.h"

namespace heddle::kernels {

KernelTable<Permute>& permute() {
    static auto& table = make_table<Permute>("permute");
    return table;
}

KernelTable<Concat>& concat() {
    static auto& table = make_table<Concat>("concat");
    return table;
}

KernelTable<Split>& split() {
    static auto& table = make_table<Split>("split");
    return table;
}

KernelTable<Pad>& pad() {
    static auto& table = make_table<Pad>("pad");
    return table;
}

KernelTable<PadBackward>& pad_backward() {
    static auto& table = make_table<PadBackward>("pad_backward");
    return table;
}

KernelTable<Slice>& slice() {
    static auto& table = make_table<Slice>("slice");
    return table;
}

KernelTable<SliceBackward>& slice_backward() {
    static auto& table = make_table<SliceBackward>("slice_backward");
    return table;
}

KernelTable<BroadcastTo>& broadcast_to() {
    static auto& table = make_table<BroadcastTo>("broadcast_to");
    return table;
}

KernelTable<Gather>& gather() {
    static auto& table = make_table<Gather>("gather");
    return table;
}

KernelTable<GatherBackward>& gather_backward() {
    static auto& table = make_table<GatherBackward>("gather_backward");
    return table;
}

KernelTable<TakeAlong>& take_along() {
    static auto& table = make_table<TakeAlong>("take_along");
    return table;
}

KernelTable<TakeAlongBackward>& take_along_backward() {
    static auto& table = make_table<TakeAlongBackward>("take_along_backward");
    return table;
}

KernelTable<OneHot>& one_hot() {
    static auto& table = make_table<OneHot>("one_hot");
    return table;
}

}  // namespace heddle::kernels
