#include "kernels/attention/attention.h"

#include "kernels/attention/implementations.h"
#include "kernels/built_in.h"

namespace heddle::kernels {

KernelTable<AttentionForward>& attention_forward() {
    static auto& table = make_table<AttentionForward>("attention_forward");
    return table;
}

KernelTable<AttentionBackward>& attention_backward() {
    static auto& table = []() -> KernelTable<AttentionBackward>& {
        auto& built_in = make_table<AttentionBackward>("attention_backward");
        add_cpu_blocks(built_in);
        return built_in;
    }();
    return table;
}

}  // namespace heddle::kernels
