#include "kernels/optim/optim.h"

#include "kernels/optim/implementations.h"

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

KernelTable<SgdStep>& sgd_step() {
    static auto& table = build<SgdStep>("sgd_step");
    return table;
}

KernelTable<AdamStep>& adam_step() {
    static auto& table = build<AdamStep>("adam_step");
    return table;
}

KernelTable<RmspropStep>& rmsprop_step() {
    static auto& table = build<RmspropStep>("rmsprop_step");
    return table;
}

KernelTable<GradientNorm>& gradient_norm() {
    static auto& table = build<GradientNorm>("gradient_norm");
    return table;
}

}  // namespace heddle::kernels
