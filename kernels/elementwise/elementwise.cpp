#include "kernels/elementwise/elementwise.h"

#include "kernels/built_in.h"
#include "kernels/elementwise/implementations.h"

namespace heddle::kernels {

KernelTable<Binary>& binary() {
    static auto& table = make_table<Binary>("binary");
    return table;
}

KernelTable<ScalarBinary>& scalar_binary() {
    static auto& table = make_table<ScalarBinary>("scalar_binary");
    return table;
}

KernelTable<ScaleAdd>& scale_add() {
    static auto& table = make_table<ScaleAdd>("scale_add");
    return table;
}

KernelTable<Unary>& unary() {
    static auto& table = make_table<Unary>("unary");
    return table;
}

KernelTable<UnaryBackward>& unary_backward() {
    static auto& table = make_table<UnaryBackward>("unary_backward");
    return table;
}

KernelTable<Where>& where() {
    static auto& table = make_table<Where>("where");
    return table;
}

KernelTable<Cast>& cast() {
    static auto& table = make_table<Cast>("cast");
    return table;
}

KernelTable<Fill>& fill() {
    static auto& table = make_table<Fill>("fill");
    return table;
}

KernelTable<Clip>& clip() {
    static auto& table = make_table<Clip>("clip");
    return table;
}

KernelTable<ClipBackward>& clip_backward() {
    static auto& table = make_table<ClipBackward>("clip_backward");
    return table;
}

}  // namespace heddle::kernels
