#include "kernels/optim/optim.h"

#include "kernels/built_in.h"
#include "kernels/optim/implementations.h"

namespace heddle::kernels {

KernelTable<SgdStep>& sgd_step() {
    static auto& table = make_table<SgdStep>("sgd_step");
    return table;
}

KernelTable<AdamStep>& adam_step() {
    static auto& table = make_table<AdamStep>("adam_step");
    return table;
}

KernelTable<RmspropStep>& rmsprop_step() {
    static auto& table = make_table<RmspropStep>("rmsprop_step");
    return table;
}

KernelTable<GradientNorm>& gradient_norm() {
    static auto& table = make_table<GradientNorm>("gradient_norm");
    return table;
}

}  // namespace heddle::kernels
