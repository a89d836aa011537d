#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/pool/cover.h"
#include "kernels/pool/implementations.h"
#include "kernels/pool/window.h"

// Channels are the inner loops. The backward pass walks over the elements of dx, each of which collects from the
// windows that hold it, so that threads share nothing and the order of the sums is fixed.
namespace heddle::kernels {
namespace {

HEDDLE_SIMD_CLONES void add_scaled(const float* __restrict from, float* __restrict to, std::int64_t count, float scale,
                                   bool start) {
    if (start)
        for (std::int64_t i = 0; i < count; ++i) to[i] = scale * from[i];
    else
        for (std::int64_t i = 0; i < count; ++i) to[i] += scale * from[i];
}

/// y = scale * the sum of the window's elements, four of them in a pass: a pass reads and writes y once.
HEDDLE_SIMD_CLONES void average_window(const float* __restrict x, float* __restrict y, const WindowSpan& rows,
                                       const WindowSpan& columns, std::int64_t width, std::int64_t channels,
                                       float scale) {
    const float* elements[4];
    int waiting = 0;
    bool start = true;
    for (std::int64_t h = rows.first; h < rows.last; ++h)
        for (std::int64_t w = columns.first; w < columns.last; ++w) {
            elements[waiting++] = x + (h * width + w) * channels;
            if (waiting < 4) continue;
            const float* __restrict p = elements[0], * __restrict q = elements[1], * __restrict r = elements[2], * __restrict s = elements[3];
            if (start)
                for (std::int64_t c = 0; c < channels; ++c) y[c] = scale * ((p[c] + q[c]) + (r[c] + s[c]));
            else
                for (std::int64_t c = 0; c < channels; ++c) y[c] += scale * ((p[c] + q[c]) + (r[c] + s[c]));
            start = false;
            waiting = 0;
        }
    for (int i = 0; i < waiting; ++i, start = false) {
        const float* __restrict p = elements[i];
        if (start)
            for (std::int64_t c = 0; c < channels; ++c) y[c] = scale * p[c];
        else
            for (std::int64_t c = 0; c < channels; ++c) y[c] += scale * p[c];
    }
}

float share(const Pool2dParams& params, const WindowSpan& rows, const WindowSpan& columns, bool count_padding) {
    return 1.0f / static_cast<float>(count_padding ? params.kernel[0] * params.kernel[1]
                                                   : (rows.last - rows.first) * (columns.last - columns.first));
}

std::vector<WindowSpan> spans(const Pool2dParams& params, int axis, std::int64_t extent, std::int64_t outputs) {
    std::vector<WindowSpan> result;
    for (std::int64_t o = 0; o < outputs; ++o) result.push_back(window_span(params, axis, o, extent));
    return result;
}

void forward(const AvgPool2dForward& args, KernelContext&) {
    const Shape &x = args.x.shape, &y = args.y.shape;
    const auto rows = spans(args.params, 0, x[1], y[1]), columns = spans(args.params, 1, x[2], y[2]);
    const std::int64_t work = y[2] * y[3] * args.params.kernel[0] * args.params.kernel[1];
    parallel_for(y[0] * y[1], std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(work, 1)),
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t r = first; r < last; ++r) {
                         const float* picture = args.x.as<float>() + r / y[1] * x.elements(1, 4);
                         const WindowSpan& row = rows[static_cast<std::size_t>(r % y[1])];
                         for (std::int64_t o = 0; o < y[2]; ++o) {
                             const WindowSpan& column = columns[static_cast<std::size_t>(o)];
                             average_window(picture, args.y.as<float>() + (r * y[2] + o) * y[3], row, column, x[2],
                                            x[3], share(args.params, row, column, args.count_padding));
                         }
                     }
                 });
}

void backward(const AvgPool2dBackward& args, KernelContext&) {
    const Shape &x = args.dx.shape, &y = args.dy.shape;
    const auto row_covers = covers(args.params, 0, x[1], y[1]), column_covers = covers(args.params, 1, x[2], y[2]);
    const auto rows = spans(args.params, 0, x[1], y[1]), columns = spans(args.params, 1, x[2], y[2]);
    const auto collect = [&](std::int64_t n, std::int64_t h, std::int64_t w) {
        float* dx = args.dx.as<float>() + ((n * x[1] + h) * x[2] + w) * x[3];
        const Cover& down = row_covers[static_cast<std::size_t>(h)];
        const Cover& across = column_covers[static_cast<std::size_t>(w)];
        bool start = true;
        for (std::int64_t oh = down.first; oh < down.last; ++oh)
            for (std::int64_t ow = across.first; ow < across.last; ++ow) {
                const float scale = share(args.params, rows[static_cast<std::size_t>(oh)],
                                          columns[static_cast<std::size_t>(ow)], args.count_padding);
                add_scaled(args.dy.as<float>() + ((n * y[1] + oh) * y[2] + ow) * y[3], dx, x[3], scale, start);
                start = false;
            }
        if (start) std::fill_n(dx, x[3], 0.0f);
    };
    parallel_for(x[0] * x[1], std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(x[2] * x[3], 1)),
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t r = first; r < last; ++r)
                         for (std::int64_t w = 0; w < x[2]; ++w) collect(r / x[1], r % x[1], w);
                 });
}

}  // namespace

void add_cpu(KernelTable<AvgPool2dForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const AvgPool2dForward& args) { return only_f32(args.x.dtype); },
               .run = forward});
}

void add_cpu(KernelTable<AvgPool2dBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const AvgPool2dBackward& args) { return only_f32(args.dy.dtype); },
               .run = backward});
}

}  // namespace heddle::kernels
