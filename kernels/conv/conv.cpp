#include "kernels/conv/conv.h"

#include "kernels/conv/implementations.h"

namespace heddle::kernels {
namespace {

template <class Args>
KernelTable<Args>* make_table(const char* operation) {
    auto* table = new KernelTable<Args>(operation);  // never destroyed: plug-ins may use it at exit
    add_reference(*table);
    add_cpu(*table);
    if constexpr (requires(KernelTable<Args> & t) { add_cpu_direct(t); }) add_cpu_direct(*table);
    add_cpu_winograd(*table);
    add_cpu_winograd_nhwc(*table);
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
    static KernelTable<Conv2dForward>& table = *make_table<Conv2dForward>("conv2d_forward");
    return table;
}

KernelTable<Conv2dBackwardData>& conv2d_backward_data() {
    static KernelTable<Conv2dBackwardData>& table = *make_table<Conv2dBackwardData>("conv2d_backward_data");
    return table;
}

KernelTable<Conv2dBackwardWeights>& conv2d_backward_weights() {
    static KernelTable<Conv2dBackwardWeights>& table = *make_table<Conv2dBackwardWeights>("conv2d_backward_weights");
    return table;
}

}  // namespace heddle::kernels
