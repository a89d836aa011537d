#include <cmath>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/norm/implementations.h"
#include "kernels/pool/window.h"

// The references of batch norm, and naive loops over windows between them.
namespace heddle::kernels {
namespace {

template <class Args>
void run_reference(const KernelTable<Args>& table, const Args& args, KernelContext& context) {
    table.find("reference", DeviceKind::cpu)->run(args, context);
}

/// Calls `body(output element, element of x at (i, j) of its window)` for every output and each element of x in its
/// window; `body` gets offsets into y and x, and the position i * kernel[1] + j.
template <class Body>
void for_each_element(const Shape& x, const Shape& y, const Pool2dParams& params, const Body& body) {
    for (std::int64_t o = 0; o < y.elements(); ++o) {
        const std::int64_t c = o % y[3], ow = o / y[3] % y[2], oh = o / (y[3] * y[2]) % y[1],
                           n = o / (y[3] * y[2] * y[1]);
        const WindowSpan rows = window_span(params, 0, oh, x[1]), columns = window_span(params, 1, ow, x[2]);
        for (std::int64_t h = rows.first; h < rows.last; ++h)
            for (std::int64_t w = columns.first; w < columns.last; ++w)
                body(o, ((n * x[1] + h) * x[2] + w) * x[3] + c,
                     (h - rows.start) * params.kernel[1] + w - columns.start);
    }
}

std::int64_t index_of(const View& index, std::int64_t o) {
    return index.dtype == DType::u8 ? index.as<std::uint8_t>()[o] : index.as<std::int32_t>()[o];
}

void set_index(const View& index, std::int64_t o, std::int64_t position) {
    if (index.dtype == DType::u8)
        index.as<std::uint8_t>()[o] = static_cast<std::uint8_t>(position);
    else
        index.as<std::int32_t>()[o] = static_cast<std::int32_t>(position);
}

template <class T>
void forward(const BatchNormPoolForward& args, KernelContext& context) {
    std::vector<T> normalized(static_cast<std::size_t>(args.x.elements()));
    BatchNormForward norm = args.norm();
    norm.y = View(normalized.data(), args.x.shape, args.x.dtype);
    run_reference(batch_norm_forward(), norm, context);

    const T* x = args.x.as<T>();
    std::vector<std::int64_t> best(static_cast<std::size_t>(args.y.elements()), -1);
    for_each_element(args.x.shape, args.y.shape, args.params,
                     [&](std::int64_t o, std::int64_t element, std::int64_t position) {
                         std::int64_t& winner = best[static_cast<std::size_t>(o)];
                         const bool descending = args.scale && args.scale.as<T>()[o % args.y.shape[3]] < 0;
                         if (winner >= 0) {
                             const bool larger = descending ? x[element] < x[winner] : x[element] > x[winner];
                             if (!larger && !(std::isnan(x[element]) && !std::isnan(x[winner]))) return;
                         }
                         winner = element;
                         args.y.as<T>()[o] = normalized[static_cast<std::size_t>(element)];
                         if (args.picked) args.picked.as<T>()[o] = x[element];
                         if (args.index) set_index(args.index, o, position);
                     });
}

template <class T>
void backward(const BatchNormPoolBackward& args, KernelContext& context) {
    std::vector<T> gradient(static_cast<std::size_t>(args.x.elements()), T{});
    for_each_element(args.x.shape, args.dy.shape, args.params,
                     [&](std::int64_t o, std::int64_t element, std::int64_t position) {
                         if (index_of(args.index, o) != position) return;
                         if (args.activation == FusedActivation::relu && !(args.y.as<T>()[o] > 0)) return;
                         gradient[static_cast<std::size_t>(element)] += args.dy.as<T>()[o];
                     });
    run_reference(batch_norm_backward(),
                  {.x = args.x,
                   .dy = View(gradient.data(), args.x.shape, args.x.dtype),
                   .scale = args.scale,
                   .mean = args.mean,
                   .inverse_deviation = args.inverse_deviation,
                   .dx = args.dx,
                   .dscale = args.dscale,
                   .doffset = args.doffset},
                  context);
}

}  // namespace

void add_reference(KernelTable<BatchNormPoolForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const BatchNormPoolForward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const BatchNormPoolForward& args, KernelContext& context) {
                       with_float_type(args.x.dtype, [&](auto zero) { forward<decltype(zero)>(args, context); });
                   }});
}

void add_reference(KernelTable<BatchNormPoolBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const BatchNormPoolBackward& args) { return float_or_double(args.x.dtype); },
               .run =
                   [](const BatchNormPoolBackward& args, KernelContext& context) {
                       with_float_type(args.x.dtype, [&](auto zero) { backward<decltype(zero)>(args, context); });
                   }});
}

}  // namespace heddle::kernels
