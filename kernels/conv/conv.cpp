#include "kernels/conv/conv.h"

#include "kernels/built_in.h"
#include "kernels/conv/implementations.h"

namespace heddle::kernels {
namespace {

template <class Args>
KernelTable<Args>& make_conv_table(const char* operation) {
    auto& table = make_table<Args>(operation);
    if constexpr (requires { add_cpu_direct(table); }) add_cpu_direct(table);
    if constexpr (requires { add_cpu_matmul(table); }) add_cpu_matmul(table);
    add_cpu_columns(table);
    add_cpu_winograd(table);
    add_cpu_winograd_nhwc(table);
    return table;
}

}  // namespace

Shape Conv2dParams::output_shape(const Shape& x, const Shape& w) const {
    const auto extent = [&](int axis) {
        const auto a = static_cast<std::size_t>(axis);
        const std::int64_t room =
            x[1 + axis] + padding[2 * a] + padding[2 * a + 1] - dilation[a] * (w[1 + axis] - 1) - 1;
        return room < 0 ? 0 : room / stride[a] + 1;
    };
    return {x[0], extent(0), extent(1), w[0]};
}

KernelTable<Conv2dForward>& conv2d_forward() {
    static auto& table = make_conv_table<Conv2dForward>("conv2d_forward");
    return table;
}

KernelTable<Conv2dBackwardData>& conv2d_backward_data() {
    static auto& table = make_conv_table<Conv2dBackwardData>("conv2d_backward_data");
    return table;
}

KernelTable<Conv2dBackwardWeights>& conv2d_backward_weights() {
    static auto& table = make_conv_table<Conv2dBackwardWeights>("conv2d_backward_weights");
    return table;
}

}  // namespace heddle::kernels
