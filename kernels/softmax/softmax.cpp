#include "kernels/softmax/softmax.h"

#include "kernels/softmax/implementations.h"

namespace heddle::kernels {

KernelTable<SoftmaxForward>& softmax_forward() {
    static KernelTable<SoftmaxForward>& table = *[] {
        auto* t = new KernelTable<SoftmaxForward>("softmax_forward");  // never destroyed: plug-ins may use it at exit
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

KernelTable<SoftmaxBackward>& softmax_backward() {
    static KernelTable<SoftmaxBackward>& table = *[] {
        auto* t = new KernelTable<SoftmaxBackward>("softmax_backward");
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

}  // namespace heddle::kernels
