#include <vector>

#include "kernels/conv/implementations.h"
#include "kernels/dispatch.h"

// One walk over all (output, tap, input) triples serves the three operations; sums run in double.
namespace heddle::kernels {
namespace {

/// Calls `body(y index, w index, x index)` for every product of the convolution.
template <class Body>
void for_each_product(const Shape& x, const Shape& w, const Shape& y, const Conv2dParams& params, const Body& body) {
    const std::int64_t outputs_per_group = w[0] / params.groups, channels = w[3];
    for (std::int64_t n = 0; n < y[0]; ++n)
        for (std::int64_t oh = 0; oh < y[1]; ++oh)
            for (std::int64_t ow = 0; ow < y[2]; ++ow)
                for (std::int64_t o = 0; o < y[3]; ++o)
                    for (std::int64_t i = 0; i < w[1]; ++i)
                        for (std::int64_t j = 0; j < w[2]; ++j) {
                            const std::int64_t h = oh * params.stride[0] + i * params.dilation[0] - params.padding[0];
                            const std::int64_t v = ow * params.stride[1] + j * params.dilation[1] - params.padding[2];
                            if (h < 0 || h >= x[1] || v < 0 || v >= x[2]) continue;
                            const std::int64_t first = o / outputs_per_group * channels;
                            for (std::int64_t c = 0; c < channels; ++c)
                                body(((n * y[1] + oh) * y[2] + ow) * y[3] + o,
                                     ((o * w[1] + i) * w[2] + j) * channels + c,
                                     ((n * x[1] + h) * x[2] + v) * x[3] + first + c);
                        }
}

template <class T>
void store(const std::vector<double>& sums, const View& view) {
    for (std::size_t i = 0; i < sums.size(); ++i) view.as<T>()[i] = static_cast<T>(sums[i]);
}

std::vector<double> zeros(const View& view) { return std::vector<double>(static_cast<std::size_t>(view.elements())); }

template <class T>
void forward(const Conv2dForward& args) {
    std::vector<double> y = zeros(args.y);
    const std::int64_t channels = args.y.shape.back();
    if (args.bias)
        for (std::size_t i = 0; i < y.size(); ++i)
            y[i] = double(args.bias.as<T>()[static_cast<std::int64_t>(i) % channels]);
    for_each_product(args.x.shape, args.w.shape, args.y.shape, args.params,
                     [&](std::int64_t yi, std::int64_t wi, std::int64_t xi) {
                         y[static_cast<std::size_t>(yi)] += double(args.w.as<T>()[wi]) * double(args.x.as<T>()[xi]);
                     });
    if (args.residual)
        for (std::size_t i = 0; i < y.size(); ++i) y[i] += double(args.residual.as<T>()[i]);
    if (args.activation == FusedActivation::relu)
        for (double& value : y) value = value < 0 ? 0 : value;
    store<T>(y, args.y);
}

template <class T>
void backward_data(const Conv2dBackwardData& args) {
    std::vector<double> dx = zeros(args.dx);
    for_each_product(args.dx.shape, args.w.shape, args.dy.shape, args.params,
                     [&](std::int64_t yi, std::int64_t wi, std::int64_t xi) {
                         dx[static_cast<std::size_t>(xi)] += double(args.w.as<T>()[wi]) * double(args.dy.as<T>()[yi]);
                     });
    store<T>(dx, args.dx);
}

template <class T>
void backward_weights(const Conv2dBackwardWeights& args) {
    std::vector<double> dw = zeros(args.dw);
    for_each_product(args.x.shape, args.dw.shape, args.dy.shape, args.params,
                     [&](std::int64_t yi, std::int64_t wi, std::int64_t xi) {
                         dw[static_cast<std::size_t>(wi)] += double(args.x.as<T>()[xi]) * double(args.dy.as<T>()[yi]);
                     });
    store<T>(dw, args.dw);
    if (!args.dbias) return;
    std::vector<double> dbias = zeros(args.dbias);
    for (std::int64_t i = 0; i < args.dy.elements(); ++i)
        dbias[static_cast<std::size_t>(i % args.dy.shape.back())] += double(args.dy.as<T>()[i]);
    store<T>(dbias, args.dbias);
}

}  // namespace

void add_reference(KernelTable<Conv2dForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Conv2dForward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const Conv2dForward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<Conv2dBackwardData>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Conv2dBackwardData& args) { return float_or_double(args.dy.dtype); },
               .run =
                   [](const Conv2dBackwardData& args, KernelContext&) {
                       with_float_type(args.dy.dtype, [&](auto zero) { backward_data<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<Conv2dBackwardWeights>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Conv2dBackwardWeights& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const Conv2dBackwardWeights& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { backward_weights<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
