#include "kernels/layer_norm/layer_norm.h"

#include "kernels/layer_norm/implementations.h"

namespace heddle::kernels {

KernelTable<LayerNormForward>& layer_norm_forward() {
    static KernelTable<LayerNormForward>& table = *[] {
        auto* t = new KernelTable<LayerNormForward>("layer_norm_forward");  // never destroyed, as all tables
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

KernelTable<LayerNormBackward>& layer_norm_backward() {
    static KernelTable<LayerNormBackward>& table = *[] {
        auto* t = new KernelTable<LayerNormBackward>("layer_norm_backward");
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

}  // namespace heddle::kernels
