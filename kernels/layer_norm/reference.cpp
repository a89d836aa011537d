#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/layer_norm/implementations.h"

namespace heddle::kernels {
namespace {

template <class T>
double at(const View& vector, std::int64_t index, double absent) {
    return vector ? double(vector.as<T>()[index]) : absent;
}

template <class T>
void forward(const LayerNormForward& args) {
    const std::int64_t size = args.x.shape.back(), rows = args.x.elements() / size;
    for (std::int64_t row = 0; row < rows; ++row) {
        const T* x = args.x.as<T>() + row * size;
        T* y = args.y.as<T>() + row * size;
        double mean = 0, variance = 0;
        for (std::int64_t c = 0; c < size; ++c) mean += double(x[c]) / double(size);
        for (std::int64_t c = 0; c < size; ++c) variance += (x[c] - mean) * (x[c] - mean) / double(size);
        const double inverse_deviation = 1 / std::sqrt(variance + double(args.epsilon));
        for (std::int64_t c = 0; c < size; ++c)
            y[c] =
                static_cast<T>((x[c] - mean) * inverse_deviation * at<T>(args.scale, c, 1) + at<T>(args.offset, c, 0));
        args.mean.as<T>()[row] = static_cast<T>(mean);
        args.inverse_deviation.as<T>()[row] = static_cast<T>(inverse_deviation);
    }
}

template <class T>
void backward(const LayerNormBackward& args) {
    const std::int64_t size = args.x.shape.back(), rows = args.x.elements() / size;
    const auto normal = [&](std::int64_t row, std::int64_t c) {
        return (double(args.x.as<T>()[row * size + c]) - double(args.mean.as<T>()[row])) *
               double(args.inverse_deviation.as<T>()[row]);
    };
    for (std::int64_t c = 0; c < size; ++c) {
        double dscale = 0, doffset = 0;
        for (std::int64_t row = 0; row < rows; ++row) {
            const double dy = args.dy.as<T>()[row * size + c];
            dscale += dy * normal(row, c);
            doffset += dy;
        }
        if (args.dscale) args.dscale.as<T>()[c] = static_cast<T>(dscale);
        if (args.doffset) args.doffset.as<T>()[c] = static_cast<T>(doffset);
    }
    if (!args.dx) return;
    for (std::int64_t row = 0; row < rows; ++row) {
        const T* dy = args.dy.as<T>() + row * size;
        T* dx = args.dx.as<T>() + row * size;
        double sum = 0, product = 0;
        for (std::int64_t c = 0; c < size; ++c) {
            const double g = dy[c] * at<T>(args.scale, c, 1);
            sum += g;
            product += g * normal(row, c);
        }
        for (std::int64_t c = 0; c < size; ++c)
            dx[c] = static_cast<T>(
                (dy[c] * at<T>(args.scale, c, 1) - sum / double(size) - normal(row, c) * product / double(size)) *
                double(args.inverse_deviation.as<T>()[row]));
    }
}

}  // namespace

void add_reference(KernelTable<LayerNormForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const LayerNormForward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const LayerNormForward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<LayerNormBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const LayerNormBackward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const LayerNormBackward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { backward<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
