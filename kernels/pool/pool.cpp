#include "kernels/pool/pool.h"

#include "kernels/built_in.h"
#include "kernels/pool/implementations.h"

namespace heddle::kernels {

Shape Pool2dParams::output_shape(const Shape& x) const {
    const auto extent = [&](int axis) {
        const auto a = static_cast<std::size_t>(axis);
        const std::int64_t room = x[1 + axis] + padding[2 * a] + padding[2 * a + 1] - kernel[a];
        return room < 0 ? 0 : room / stride[a] + 1;
    };
    return {x[0], extent(0), extent(1), x[3]};
}

KernelTable<MaxPool2dForward>& max_pool2d_forward() {
    static auto& table = make_table<MaxPool2dForward>("max_pool2d_forward");
    return table;
}

KernelTable<MaxPool2dBackward>& max_pool2d_backward() {
    static auto& table = make_table<MaxPool2dBackward>("max_pool2d_backward");
    return table;
}

KernelTable<AvgPool2dForward>& avg_pool2d_forward() {
    static auto& table = make_table<AvgPool2dForward>("avg_pool2d_forward");
    return table;
}

KernelTable<AvgPool2dBackward>& avg_pool2d_backward() {
    static auto& table = make_table<AvgPool2dBackward>("avg_pool2d_backward");
    return table;
}

}  // namespace heddle::kernels
