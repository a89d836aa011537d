#include "kernels/softmax/softmax.h"

#include "kernels/built_in.h"
#include "kernels/softmax/implementations.h"

namespace heddle::kernels {

KernelTable<SoftmaxForward>& softmax_forward() {
    static auto& table = make_table<SoftmaxForward>("softmax_forward");
    return table;
}

KernelTable<SoftmaxBackward>& softmax_backward() {
    static auto& table = make_table<SoftmaxBackward>("softmax_backward");
    return table;
}

}  // namespace heddle::kernels
