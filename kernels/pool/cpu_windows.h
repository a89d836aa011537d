#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/pool/cover.h"
#include "kernels/pool/window.h"

// The loops of max pooling on the CPU, for HEDDLE_SIMD_CLONES functions: channels are the inner ones. The forward step
// walks over windows; the backward step over the elements of dx, each of which collects from the windows that hold it:
// every dx is written once, in a fixed order, by one thread.
namespace heddle::kernels {

/// Rows per thread so that a thread gets at least some 16k elements.
inline std::int64_t row_grain(std::int64_t elements_per_row) {
    return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(elements_per_row, 1));
}

/// The later value wins where it is larger or the first NaN.
[[gnu::always_inline]] inline bool wins(float later, float best) { return !(later <= best) & (best == best); }

/// One window element of each channel challenges the best so far. Index: std::uint8_t, std::int32_t, or void for none.
template <class Index, class T, class Order>
[[gnu::always_inline]] inline void challenge(const T* __restrict x, T* __restrict best, Index* __restrict index,
                                             std::int64_t channels, std::int32_t position, const Order& order) {
#pragma GCC ivdep
    for (std::int64_t c = 0; c < channels; ++c) {
        const T later = x[c], before = best[c];
        const bool take = wins(order(c, load(later)), order(c, load(before)));
        best[c] = take ? later : before;
        if constexpr (!std::is_void_v<Index>) {
            const std::int32_t old = index[c];
            index[c] = static_cast<Index>(take ? position : old);
        }
    }
}

/// A row of windows over a picture.
template <class T>
struct RowOfWindows {
    const T* x;  ///< the picture
    WindowSpan rows;
    const WindowSpan* columns;  ///< one per output
    std::int64_t outputs, width, channels, kernel_width;
};

/// The element of window `o` for which `order(channel, value)` is largest, for each channel, and its position. The best
/// so far stands in `best` and `index`, which the first-level cache holds: 11 to 25 GB/s on one core of the reference
/// machine, as fast as memory; a special path for 2 x 2 gained nothing.
template <class Index, class T, class Order>
[[gnu::always_inline]] inline void find_best(const RowOfWindows<T>& row, std::int64_t o, T* best, Index* index,
                                             const Order& order) {
    const WindowSpan rows = row.rows, columns = row.columns[o];
    const auto element = [&](std::int64_t h, std::int64_t w) { return row.x + (h * row.width + w) * row.channels; };
    const auto position = [&](std::int64_t h, std::int64_t w) {
        return static_cast<std::int32_t>((h - rows.start) * row.kernel_width + w - columns.start);
    };
    std::copy_n(element(rows.first, columns.first), row.channels, best);
    if constexpr (!std::is_void_v<Index>)
        std::fill_n(index, row.channels, static_cast<Index>(position(rows.first, columns.first)));
    for (std::int64_t h = rows.first; h < rows.last; ++h)
        for (std::int64_t w = columns.first + (h == rows.first); w < columns.last; ++w)
            challenge<Index>(element(h, w), best, index, row.channels, position(h, w), order);
}

/// Runs `run_row(row, offset of its first output)` for every row of windows over pictures x, in threads.
template <class T, class RunRow>
void for_each_row_of_windows(const View& x, const Pool2dParams& params, const Shape& y, const RunRow& run_row) {
    const Shape& from = x.shape;
    std::vector<WindowSpan> columns;
    for (std::int64_t w = 0; w < y[2]; ++w) columns.push_back(window_span(params, 1, w, from[2]));
    const std::int64_t row_elements = y[2] * y[3];
    parallel_for(y[0] * y[1], row_grain(row_elements * params.kernel[0] * params.kernel[1]),
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t r = first; r < last; ++r)
                         run_row(RowOfWindows<T>{.x = x.as<T>() + r / y[1] * from.elements(1, 4),
                                                 .rows = window_span(params, 0, r % y[1], from[1]),
                                                 .columns = columns.data(),
                                                 .outputs = y[2],
                                                 .width = from[2],
                                                 .channels = from[3],
                                                 .kernel_width = params.kernel[1]},
                                 r * row_elements);
                 });
}

/// Where element `offset` of an index lies; null where the index is absent.
inline void* index_at(const View& index, std::int64_t offset) {
    return index ? index.as<std::byte>() + offset * static_cast<std::int64_t>(size_of(index.dtype)) : nullptr;
}

/// One row of dx and what it collects from: dy, y and index of its picture.
template <class T>
struct RowOfElements {
    const T* dy;
    const T* y;  ///< null: no activation
    const void* index;
    T* dx;
    float* sum;  ///< scratch of a place's channels
    Cover rows;
    const Cover* columns;                        ///< one per element of the row
    std::int64_t row, outputs, width, channels;  ///< `outputs`: in a row of y
    const Pool2dParams* params;
};

/// dx = finish(element of the row, the sum of what the element collects).
template <class Index, bool relu, class T, class Finish>
[[gnu::always_inline]] inline void collect(const RowOfElements<T>& row, const Finish& finish) {
    const Pool2dParams& params = *row.params;
    for (std::int64_t w = 0; w < row.width; ++w) {
        const std::int64_t place = w * row.channels;
        T* __restrict dx = row.dx + place;
        float* __restrict sum = row.sum;
        const Cover columns = row.columns[w];
        const bool alone = (row.rows.last - row.rows.first) * (columns.last - columns.first) == 1;
        bool started = false;
        for (std::int64_t oh = row.rows.first; oh < row.rows.last; ++oh)
            for (std::int64_t ow = columns.first; ow < columns.last; ++ow) {
                const std::int64_t i = row.row + params.padding[0] - oh * params.stride[0],
                                   j = w + params.padding[2] - ow * params.stride[1];
                const auto position = static_cast<std::int32_t>(i * params.kernel[1] + j);
                const std::int64_t offset = (oh * row.outputs + ow) * row.channels;
                const T* __restrict dy = row.dy + offset;
                const Index* __restrict index = static_cast<const Index*>(row.index) + offset;
                [[maybe_unused]] const T* __restrict y = relu ? row.y + offset : nullptr;
                const auto share = [&](std::int64_t c) {
                    bool mine = index[c] == position;
                    if constexpr (relu) mine = mine & (load(y[c]) > 0);
                    const float gradient = load(dy[c]);
                    return mine ? gradient : 0.0f;
                };
                if (alone)
                    for (std::int64_t c = 0; c < row.channels; ++c) store(dx[c], finish(place, c, share(c)));
                else if (started)
                    for (std::int64_t c = 0; c < row.channels; ++c) sum[c] += share(c);
                else
                    for (std::int64_t c = 0; c < row.channels; ++c) sum[c] = share(c);
                started = true;
            }
        if (alone) continue;
        if (started)
            for (std::int64_t c = 0; c < row.channels; ++c) store(dx[c], finish(place, c, sum[c]));
        else
            for (std::int64_t c = 0; c < row.channels; ++c) store(dx[c], finish(place, c, 0.0f));
    }
}

/// Runs `run_row(row)` for every row of pictures dx, in threads, with the given tensors of the pooling. `y` absent: no
/// activation.
template <class T, class RunRow>
void for_each_row_of_elements(const View& dy, const View& y, const View& index, const Pool2dParams& params,
                              const View& dx, const RunRow& run_row) {
    const Shape &x = dx.shape, &pooled = dy.shape;
    const std::vector<Cover> rows = covers(params, 0, x[1], pooled[1]), columns = covers(params, 1, x[2], pooled[2]);
    const std::int64_t row_elements = x[2] * x[3], picture = pooled.elements(1, 4);
    parallel_for(x[0] * x[1], row_grain(row_elements), [&](std::int64_t first, std::int64_t last) {
        std::vector<float> sum(static_cast<std::size_t>(x[3]));
        for (std::int64_t r = first; r < last; ++r) {
            const std::int64_t n = r / x[1], h = r % x[1];
            run_row(RowOfElements<T>{.dy = dy.as<T>() + n * picture,
                                     .y = y ? y.as<T>() + n * picture : nullptr,
                                     .index = index_at(index, n * picture),
                                     .dx = dx.as<T>() + r * row_elements,
                                     .sum = sum.data(),
                                     .rows = rows[static_cast<std::size_t>(h)],
                                     .columns = columns.data(),
                                     .row = h,
                                     .outputs = pooled[2],
                                     .width = x[2],
                                     .channels = x[3],
                                     .params = &params});
        }
    });
}

}  // namespace heddle::kernels
