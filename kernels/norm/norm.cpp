#include "kernels/norm/norm.h"

#include "kernels/norm/implementations.h"

namespace heddle::kernels {
namespace {

template <class Args>
KernelTable<Args>* make_table(const char* operation) {
    auto* table = new KernelTable<Args>(operation);  // never destroyed: plug-ins may use it at exit
    add_reference(*table);
    add_cpu(*table);
    return table;
}

}  // namespace

KernelTable<BatchNormForward>& batch_norm_forward() {
    static KernelTable<BatchNormForward>& table = *make_table<BatchNormForward>("batch_norm_forward");
    return table;
}

KernelTable<BatchNormInference>& batch_norm_inference() {
    static KernelTable<BatchNormInference>& table = *make_table<BatchNormInference>("batch_norm_inference");
    return table;
}

KernelTable<BatchNormBackward>& batch_norm_backward() {
    static KernelTable<BatchNormBackward>& table = *make_table<BatchNormBackward>("batch_norm_backward");
    return table;
}

KernelTable<BatchNormPoolForward>& batch_norm_pool_forward() {
    static KernelTable<BatchNormPoolForward>& table = *make_table<BatchNormPoolForward>("batch_norm_pool_forward");
    return table;
}

KernelTable<BatchNormPoolBackward>& batch_norm_pool_backward() {
    static KernelTable<BatchNormPoolBackward>& table = *make_table<BatchNormPoolBackward>("batch_norm_pool_backward");
    return table;
}

}  // namespace heddle::kernels
