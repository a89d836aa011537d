#include <cmath>
#include <limits>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/pool/implementations.h"
#include "kernels/pool/window.h"

namespace heddle::kernels {
namespace {

/// Calls `body(output element, rows, columns, n, c)` for every output; x: [N, H, W, C].
template <class Body>
void for_each_window(const Shape& x, const Shape& y, const Pool2dParams& params, const Body& body) {
    for (std::int64_t n = 0; n < y[0]; ++n)
        for (std::int64_t oh = 0; oh < y[1]; ++oh)
            for (std::int64_t ow = 0; ow < y[2]; ++ow)
                for (std::int64_t c = 0; c < y[3]; ++c)
                    body(((n * y[1] + oh) * y[2] + ow) * y[3] + c, window_span(params, 0, oh, x[1]),
                         window_span(params, 1, ow, x[2]), n, c);
}

std::int64_t offset(const Shape& x, std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) {
    return ((n * x[1] + h) * x[2] + w) * x[3] + c;
}

template <class T>
void max_forward(const MaxPool2dForward& args) {
    for_each_window(
        args.x.shape, args.y.shape, args.params,
        [&](std::int64_t i, const WindowSpan& rows, const WindowSpan& columns, std::int64_t n, std::int64_t c) {
            T best = -std::numeric_limits<T>::infinity();
            std::int64_t position = -1;
            for (std::int64_t h = rows.first; h < rows.last; ++h)
                for (std::int64_t w = columns.first; w < columns.last; ++w) {
                    const T value = args.x.as<T>()[offset(args.x.shape, n, h, w, c)];
                    if (position >= 0 && !(value > best) && !(std::isnan(value) && !std::isnan(best))) continue;
                    best = value;
                    position = (h - rows.start) * args.params.kernel[1] + w - columns.start;
                }
            if (args.activation == FusedActivation::relu && best < 0) best = 0;
            args.y.as<T>()[i] = best;
            if (!args.index) return;
            if (args.index.dtype == DType::u8)
                args.index.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(position);
            else
                args.index.as<std::int32_t>()[i] = static_cast<std::int32_t>(position);
        });
}

template <class T>
void max_backward(const MaxPool2dBackward& args) {
    std::vector<double> dx(static_cast<std::size_t>(args.dx.elements()));
    for_each_window(
        args.dx.shape, args.dy.shape, args.params,
        [&](std::int64_t i, const WindowSpan& rows, const WindowSpan& columns, std::int64_t n, std::int64_t c) {
            if (args.activation == FusedActivation::relu && !(args.y.as<T>()[i] > 0)) return;
            const std::int64_t position =
                args.index.dtype == DType::u8 ? args.index.as<std::uint8_t>()[i] : args.index.as<std::int32_t>()[i];
            const std::int64_t h = rows.start + position / args.params.kernel[1],
                               w = columns.start + position % args.params.kernel[1];
            dx[static_cast<std::size_t>(offset(args.dx.shape, n, h, w, c))] += double(args.dy.as<T>()[i]);
        });
    for (std::size_t i = 0; i < dx.size(); ++i) args.dx.as<T>()[i] = static_cast<T>(dx[i]);
}

double divisor(const Pool2dParams& params, const WindowSpan& rows, const WindowSpan& columns, bool count_padding) {
    if (count_padding) return double(params.kernel[0] * params.kernel[1]);
    return double((rows.last - rows.first) * (columns.last - columns.first));
}

template <class T>
void average_forward(const AvgPool2dForward& args) {
    for_each_window(
        args.x.shape, args.y.shape, args.params,
        [&](std::int64_t i, const WindowSpan& rows, const WindowSpan& columns, std::int64_t n, std::int64_t c) {
            double sum = 0;
            for (std::int64_t h = rows.first; h < rows.last; ++h)
                for (std::int64_t w = columns.first; w < columns.last; ++w)
                    sum += double(args.x.as<T>()[offset(args.x.shape, n, h, w, c)]);
            args.y.as<T>()[i] = static_cast<T>(sum / divisor(args.params, rows, columns, args.count_padding));
        });
}

template <class T>
void average_backward(const AvgPool2dBackward& args) {
    std::vector<double> dx(static_cast<std::size_t>(args.dx.elements()));
    for_each_window(
        args.dx.shape, args.dy.shape, args.params,
        [&](std::int64_t i, const WindowSpan& rows, const WindowSpan& columns, std::int64_t n, std::int64_t c) {
            const double share = double(args.dy.as<T>()[i]) / divisor(args.params, rows, columns, args.count_padding);
            for (std::int64_t h = rows.first; h < rows.last; ++h)
                for (std::int64_t w = columns.first; w < columns.last; ++w)
                    dx[static_cast<std::size_t>(offset(args.dx.shape, n, h, w, c))] += share;
        });
    for (std::size_t i = 0; i < dx.size(); ++i) args.dx.as<T>()[i] = static_cast<T>(dx[i]);
}

}  // namespace

void add_reference(KernelTable<MaxPool2dForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const MaxPool2dForward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const MaxPool2dForward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { max_forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<MaxPool2dBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const MaxPool2dBackward& args) { return float_or_double(args.dy.dtype); },
               .run =
                   [](const MaxPool2dBackward& args, KernelContext&) {
                       with_float_type(args.dy.dtype, [&](auto zero) { max_backward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<AvgPool2dForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const AvgPool2dForward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const AvgPool2dForward& args, KernelContext&) {
                       with_float_type(args.x.dtype, [&](auto zero) { average_forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<AvgPool2dBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const AvgPool2dBackward& args) { return float_or_double(args.dy.dtype); },
               .run =
                   [](const AvgPool2dBackward& args, KernelContext&) {
                       with_float_type(args.dy.dtype, [&](auto zero) { average_backward<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
