#include "kernels/attention/attention.h"

#include "kernels/attention/implementations.h"

namespace heddle::kernels {

KernelTable<AttentionForward>& attention_forward() {
    static KernelTable<AttentionForward>& table = *[] {
        auto* t = new KernelTable<AttentionForward>("attention_forward");  // never destroyed, as all tables
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

KernelTable<AttentionBackward>& attention_backward() {
    static KernelTable<AttentionBackward>& table = *[] {
        auto* t = new KernelTable<AttentionBackward>("attention_backward");
        add_reference(*t);
        add_cpu(*t);
        add_cpu_blocks(*t);
        return t;
    }();
    return table;
}

}  // namespace heddle::kernels
