#include "kernels/norm/norm.h"

#include "kernels/norm/implementations.h"

namespace heddle::kernels {

KernelTable<BatchNormForward>& batch_norm_forward() {
    static KernelTable<BatchNormForward>& table = *[] {
        auto* t = new KernelTable<BatchNormForward>("batch_norm_forward");
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

KernelTable<BatchNormInference>& batch_norm_inference() {
    static KernelTable<BatchNormInference>& table = *[] {
        auto* t = new KernelTable<BatchNormInference>("batch_norm_inference");
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

KernelTable<BatchNormBackward>& batch_norm_backward() {
    static KernelTable<BatchNormBackward>& table = *[] {
        auto* t = new KernelTable<BatchNormBackward>("batch_norm_backward");
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

}  // namespace heddle::kernels
