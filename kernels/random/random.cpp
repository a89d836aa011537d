#include "kernels/random/random.h"

#include "kernels/built_in.h"
#include "kernels/random/implementations.h"

namespace heddle::kernels {

KernelTable<RandomUniform>& random_uniform() {
    static auto& table = make_table<RandomUniform>("random_uniform");
    return table;
}

KernelTable<RandomNormal>& random_normal() {
    static auto& table = make_table<RandomNormal>("random_normal");
    return table;
}

KernelTable<RandomTruncatedNormal>& random_truncated_normal() {
    static auto& table = make_table<RandomTruncatedNormal>("random_truncated_normal");
    return table;
}

KernelTable<RandomPermutation>& random_permutation() {
    static auto& table = make_table<RandomPermutation>("random_permutation");
    return table;
}

KernelTable<DropoutForward>& dropout_forward() {
    static auto& table = make_table<DropoutForward>("dropout_forward");
    return table;
}

KernelTable<DropoutBackward>& dropout_backward() {
    static auto& table = make_table<DropoutBackward>("dropout_backward");
    return table;
}

}  // namespace heddle::kernels
