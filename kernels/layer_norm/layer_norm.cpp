#include "kernels/layer_norm/layer_norm.h"

#include "kernels/built_in.h"
#include "kernels/layer_norm/implementations.h"

namespace heddle::kernels {

KernelTable<LayerNormForward>& layer_norm_forward() {
    static auto& table = make_table<LayerNormForward>("layer_norm_forward");
    return table;
}

KernelTable<LayerNormBackward>& layer_norm_backward() {
    static auto& table = make_table<LayerNormBackward>("layer_norm_backward");
    return table;
}

}  // namespace heddle::kernels
