#include "kernels/norm/norm.h"

#include "kernels/built_in.h"
#include "kernels/norm/implementations.h"

namespace heddle::kernels {

KernelTable<BatchNormForward>& batch_norm_forward() {
    static auto& table = make_table<BatchNormForward>("batch_norm_forward");
    return table;
}

KernelTable<BatchNormInference>& batch_norm_inference() {
    static auto& table = make_table<BatchNormInference>("batch_norm_inference");
    return table;
}

KernelTable<BatchNormBackward>& batch_norm_backward() {
    static auto& table = make_table<BatchNormBackward>("batch_norm_backward");
    return table;
}

KernelTable<BatchNormPoolForward>& batch_norm_pool_forward() {
    static auto& table = make_table<BatchNormPoolForward>("batch_norm_pool_forward");
    return table;
}

KernelTable<BatchNormPoolBackward>& batch_norm_pool_backward() {
    static auto& table = make_table<BatchNormPoolBackward>("batch_norm_pool_backward");
    return table;
}

}  // namespace heddle::kernels
