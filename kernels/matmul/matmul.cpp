#include "kernels/matmul/matmul.h"

#include "kernels/matmul/implementations.h"

namespace heddle::kernels {

KernelTable<Matmul>& matmul() {
    static KernelTable<Matmul>& table = *[] {
        auto* t = new KernelTable<Matmul>("matmul");
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

KernelTable<BiasGradient>& bias_gradient() {
    static KernelTable<BiasGradient>& table = *[] {
        auto* t = new KernelTable<BiasGradient>("bias_gradient");
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

}  // namespace heddle::kernels
