#include "kernels/matmul/matmul.h"

#include "kernels/built_in.h"
#include "kernels/matmul/implementations.h"

namespace heddle::kernels {

KernelTable<Matmul>& matmul() {
    static auto& table = make_table<Matmul>("matmul");
    return table;
}

KernelTable<BiasGradient>& bias_gradient() {
    static auto& table = make_table<BiasGradient>("bias_gradient");
    return table;
}

}  // namespace heddle::kernels
