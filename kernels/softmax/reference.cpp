#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/softmax/implementations.h"

namespace heddle::kernels {
namespace {

template <class T>
void forward(const SoftmaxForward& args) {
    const std::int64_t classes = args.x.shape.back(), rows = args.x.elements() / std::max<std::int64_t>(classes, 1);
    for (std::int64_t row = 0; row < rows; ++row) {
        const T* x = args.x.as<T>() + row * classes;
        T* y = args.y.as<T>() + row * classes;
        T largest = x[0];
        for (std::int64_t c = 1; c < classes; ++c) largest = std::max(largest, x[c]);
        double sum = 0;
        for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(double(x[c]) - double(largest));
        for (std::int64_t c = 0; c < classes; ++c) {
            const double shifted = double(x[c]) - double(largest);
            y[c] = static_cast<T>(args.log ? shifted - std::log(sum) : std::exp(shifted) / sum);
        }
    }
}

template <class T>
void backward(const SoftmaxBackward& args) {
    const std::int64_t classes = args.y.shape.back(), rows = args.y.elements() / std::max<std::int64_t>(classes, 1);
    for (std::int64_t row = 0; row < rows; ++row) {
        const T* y = args.y.as<T>() + row * classes;
        const T* dy = args.dy.as<T>() + row * classes;
        T* dx = args.dx.as<T>() + row * classes;
        double sum = 0;
        for (std::int64_t c = 0; c < classes; ++c) sum += args.log ? double(dy[c]) : double(dy[c]) * double(y[c]);
        for (std::int64_t c = 0; c < classes; ++c)
            dx[c] = static_cast<T>(args.log ? dy[c] - std::exp(double(y[c])) * sum : y[c] * (dy[c] - sum));
    }
}

}  // namespace

void add_reference(KernelTable<SoftmaxForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const SoftmaxForward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const SoftmaxForward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<SoftmaxBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const SoftmaxBackward& args) { return float_or_double(args.y.dtype); },
               .run =
                   [](const SoftmaxBackward& args, KernelContext&) {
                       with_float_type(args.y.dtype, [&](auto zero) { backward<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
