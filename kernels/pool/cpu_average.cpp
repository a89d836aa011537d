#include <type_traits>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/lanes.h"
#include "kernels/pool/cover.h"
#include "kernels/pool/implementations.h"
#include "kernels/pool/window.h"

// Channels are the inner loops. The backward pass walks over the elements of dx, each of which collects from the
// windows that hold it, so that threads share nothing and the order of the sums is fixed. Neighbours that the same
// windows hold have the same gradient: it is computed once, then copied.
namespace heddle::kernels {
namespace {

template <class T>
[[gnu::always_inline]] inline void add_scaled_in(const T* __restrict from, float* __restrict to, std::int64_t count,
                                                 float scale, bool start) {
    if (start)
        for (std::int64_t i = 0; i < count; ++i) to[i] = scale * load(from[i]);
    else
        for (std::int64_t i = 0; i < count; ++i) to[i] += scale * load(from[i]);
}
HEDDLE_SIMD_CLONES void add_scaled(const float* from, float* to, std::int64_t count, float scale, bool start) {
    add_scaled_in(from, to, count, scale, start);
}
HEDDLE_SIMD_CLONES void add_scaled(const BFloat16* from, float* to, std::int64_t count, float scale, bool start) {
    add_scaled_in(from, to, count, scale, start);
}
void write_row(const float* from, float* to, std::int64_t count) { std::copy_n(from, count, to); }
void write_row(const float* from, BFloat16* to, std::int64_t count) { narrow(from, to, count); }

/// The window in the picture x, and where its averages go.
template <class T>
struct Window {
    const T* x;
    float* sum;  ///< one for each channel: scratch, or y itself where that holds floats
    T* y;
    WindowSpan rows, columns;
    std::int64_t width, channels;
    float scale;
};

/// y = scale * the sum of the window's elements, of 16 * width channels from `first` on: their sums stay in registers,
/// row by row. Where these are all channels, memory is read in its order, as fast as one core of an EPYC can (36 GB/s;
/// four elements in a pass: 22).
template <int width, class T>
[[gnu::always_inline]] inline void average_in_registers(const Window<T>& window, std::int64_t first) {
    Lanes total[width] = {};
    for (std::int64_t h = window.rows.first; h < window.rows.last; ++h) {
        const T* x = window.x + (h * window.width + window.columns.first) * window.channels + first;
        Lanes row[width] = {};
        for (std::int64_t w = window.columns.first; w < window.columns.last; ++w, x += window.channels)
            for (int v = 0; v < width; ++v) {
                Lanes element;
                get(element, x + v * lanes);
                row[v] += element;
            }
        for (int v = 0; v < width; ++v) total[v] += row[v];
    }
    for (int v = 0; v < width; ++v) put(window.y + first + v * lanes, total[v] * window.scale);
}

/// The same for any number of channels; those that fill no vectors go four elements in a pass: a pass reads and writes
/// the sums once.
template <class T>
[[gnu::always_inline]] inline void average_window_in(const Window<T>& window) {
    const std::int64_t channels = window.channels;
    if (channels % lanes == 0) {
        std::int64_t first = 0;
        for (; first + 8 * lanes <= channels; first += 8 * lanes) average_in_registers<8>(window, first);
        for (; first + 4 * lanes <= channels; first += 4 * lanes) average_in_registers<4>(window, first);
        for (; first + 2 * lanes <= channels; first += 2 * lanes) average_in_registers<2>(window, first);
        if (first < channels) average_in_registers<1>(window, first);
        return;
    }
    const float scale = window.scale;
    float* __restrict sum = window.sum;
    const T* elements[4];
    int waiting = 0;
    bool start = true;
    for (std::int64_t h = window.rows.first; h < window.rows.last; ++h)
        for (std::int64_t w = window.columns.first; w < window.columns.last; ++w) {
            elements[waiting++] = window.x + (h * window.width + w) * channels;
            if (waiting < 4) continue;
            const T* __restrict p = elements[0], * __restrict q = elements[1], * __restrict r = elements[2], * __restrict s = elements[3];
            if (start)
                for (std::int64_t c = 0; c < channels; ++c)
                    sum[c] = scale * ((load(p[c]) + load(q[c])) + (load(r[c]) + load(s[c])));
            else
                for (std::int64_t c = 0; c < channels; ++c)
                    sum[c] += scale * ((load(p[c]) + load(q[c])) + (load(r[c]) + load(s[c])));
            start = false;
            waiting = 0;
        }
    for (int i = 0; i < waiting; ++i, start = false) {
        const T* __restrict p = elements[i];
        if (start)
            for (std::int64_t c = 0; c < channels; ++c) sum[c] = scale * load(p[c]);
        else
            for (std::int64_t c = 0; c < channels; ++c) sum[c] += scale * load(p[c]);
    }
    if constexpr (!std::is_same_v<T, float>)
        for (std::int64_t c = 0; c < channels; ++c) store(window.y[c], sum[c]);
}
HEDDLE_SIMD_CLONES void average_window(const Window<float>& window) { average_window_in(window); }
HEDDLE_SIMD_CLONES void average_window(const Window<BFloat16>& window) { average_window_in(window); }

float* sums_in(std::vector<float>&, float* y) { return y; }
float* sums_in(std::vector<float>& scratch, BFloat16*) { return scratch.data(); }

float share(const Pool2dParams& params, const WindowSpan& rows, const WindowSpan& columns, bool count_padding) {
    return 1.0f / static_cast<float>(count_padding ? params.kernel[0] * params.kernel[1]
                                                   : (rows.last - rows.first) * (columns.last - columns.first));
}

std::vector<WindowSpan> spans(const Pool2dParams& params, int axis, std::int64_t extent, std::int64_t outputs) {
    std::vector<WindowSpan> result;
    for (std::int64_t o = 0; o < outputs; ++o) result.push_back(window_span(params, axis, o, extent));
    return result;
}

template <class T>
void forward_in(const AvgPool2dForward& args) {
    const Shape &x = args.x.shape, &y = args.y.shape;
    const auto rows = spans(args.params, 0, x[1], y[1]), columns = spans(args.params, 1, x[2], y[2]);
    const std::int64_t work = y[2] * y[3] * args.params.kernel[0] * args.params.kernel[1];
    parallel_for(y[0] * y[1], std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(work, 1)),
                 [&](std::int64_t first, std::int64_t last) {
                     std::vector<float> sum(static_cast<std::size_t>(x[3]));
                     for (std::int64_t r = first; r < last; ++r) {
                         const T* picture = args.x.as<T>() + r / y[1] * x.elements(1, 4);
                         const WindowSpan& row = rows[static_cast<std::size_t>(r % y[1])];
                         for (std::int64_t o = 0; o < y[2]; ++o) {
                             const WindowSpan& column = columns[static_cast<std::size_t>(o)];
                             T* const to = args.y.as<T>() + (r * y[2] + o) * y[3];
                             average_window(Window<T>{.x = picture,
                                                      .sum = sums_in(sum, to),
                                                      .y = to,
                                                      .rows = row,
                                                      .columns = column,
                                                      .width = x[2],
                                                      .channels = x[3],
                                                      .scale = share(args.params, row, column, args.count_padding)});
                         }
                     }
                 });
}

void forward(const AvgPool2dForward& args, KernelContext&) {
    with_f32_or_bf16(args.x.dtype, [&](auto zero) { forward_in<decltype(zero)>(args); });
}

template <class T>
void backward_in(const AvgPool2dBackward& args) {
    const Shape &x = args.dx.shape, &y = args.dy.shape;
    const auto row_covers = covers(args.params, 0, x[1], y[1]), column_covers = covers(args.params, 1, x[2], y[2]);
    const auto rows = spans(args.params, 0, x[1], y[1]), columns = spans(args.params, 1, x[2], y[2]);
    const auto collect = [&](std::int64_t n, const Cover& down, const Cover& across, float* sum, T* dx) {
        bool start = true;
        for (std::int64_t oh = down.first; oh < down.last; ++oh)
            for (std::int64_t ow = across.first; ow < across.last; ++ow) {
                const float scale = share(args.params, rows[static_cast<std::size_t>(oh)],
                                          columns[static_cast<std::size_t>(ow)], args.count_padding);
                add_scaled(args.dy.as<T>() + ((n * y[1] + oh) * y[2] + ow) * y[3], sum, x[3], scale, start);
                start = false;
            }
        if (start) std::fill_n(sum, x[3], 0.0f);
        write_row(sum, dx, x[3]);
    };
    const std::int64_t row_elements = x[2] * x[3];
    parallel_for(x[0] * x[1], std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(row_elements, 1)),
                 [&](std::int64_t first, std::int64_t last) {
                     std::vector<float> sum(static_cast<std::size_t>(x[3]));
                     for (std::int64_t r = first; r < last; ++r) {
                         T* const row = args.dx.as<T>() + r * row_elements;
                         const auto h = static_cast<std::size_t>(r % x[1]);
                         if (r > first && h > 0 && row_covers[h] == row_covers[h - 1]) {
                             std::copy_n(row - row_elements, row_elements, row);
                             continue;
                         }
                         for (std::int64_t w = 0; w < x[2]; ++w) {
                             T* const dx = row + w * x[3];
                             const Cover& across = column_covers[static_cast<std::size_t>(w)];
                             if (w > 0 && across == column_covers[static_cast<std::size_t>(w - 1)])
                                 std::copy_n(dx - x[3], x[3], dx);
                             else
                                 collect(r / x[1], row_covers[h], across, sum.data(), dx);
                         }
                     }
                 });
}

void backward(const AvgPool2dBackward& args, KernelContext&) {
    with_f32_or_bf16(args.dx.dtype, [&](auto zero) { backward_in<decltype(zero)>(args); });
}

}  // namespace

void add_cpu(KernelTable<AvgPool2dForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const AvgPool2dForward& args) { return f32_or_bf16(args.x.dtype); },
               .run = forward});
}

void add_cpu(KernelTable<AvgPool2dBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const AvgPool2dBackward& args) { return f32_or_bf16(args.dy.dtype); },
               .run = backward});
}

}  // namespace heddle::kernels
