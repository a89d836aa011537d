#include "kernels/random/random.h"

#include "kernels/random/implementations.h"

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

KernelTable<RandomUniform>& random_uniform() {
    static auto& table = build<RandomUniform>("random_uniform");
    return table;
}

KernelTable<RandomNormal>& random_normal() {
    static auto& table = build<RandomNormal>("random_normal");
    return table;
}

KernelTable<RandomTruncatedNormal>& random_truncated_normal() {
    static auto& table = build<RandomTruncatedNormal>("random_truncated_normal");
    return table;
}

KernelTable<RandomPermutation>& random_permutation() {
    static auto& table = build<RandomPermutation>("random_permutation");
    return table;
}

KernelTable<DropoutForward>& dropout_forward() {
    static auto& table = build<DropoutForward>("dropout_forward");
    return table;
}

KernelTable<DropoutBackward>& dropout_backward() {
    static auto& table = build<DropoutBackward>("dropout_backward");
    return table;
}

}  // namespace heddle::kernels
