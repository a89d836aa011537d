#include <type_traits>

#include "core/parallel.h"
#include "kernels/bf16_memory.h"
#include "kernels/dispatch.h"
#include "kernels/pool/cover.h"
#include "kernels/pool/implementations.h"
#include "kernels/pool/window.h"

// Channels are the inner loops. The forward pass walks over windows; the backward pass over the elements of dx, each of
// which collects from the windows that hold it: every dx is written once per window, in a fixed order, by one thread.
// The backward pass writes dx at 27 GB/s where an element lies in one window (8 x 8 windows, one core of an EPYC);
// filling it with zeros, its floor, does 34.
namespace heddle::kernels {
namespace {

/// The later value wins where it is larger or the first NaN.
[[gnu::always_inline]] inline bool wins(float later, float best) { return !(later <= best) & (best == best); }

/// One window element of each channel challenges the best so far. Index: std::uint8_t, std::int32_t, or void for none.
template <class Index, class T>
[[gnu::always_inline]] inline void challenge(const T* __restrict x, T* __restrict y, Index* __restrict index,
                                             std::int64_t channels, std::int32_t position) {
    for (std::int64_t c = 0; c < channels; ++c) {
        const T later = x[c], best = y[c];
        const bool take = wins(load(later), load(best));
        y[c] = take ? later : best;
        if constexpr (!std::is_void_v<Index>) {
            const std::int32_t old = index[c];
            index[c] = static_cast<Index>(take ? position : old);
        }
    }
}

/// What the inner loops know of a picture's row of outputs.
template <class T>
struct RowOfWindows {
    const T* x;  // the picture
    T* y;
    void* index;
    WindowSpan rows;
    const WindowSpan* columns;  // one per output
    std::int64_t outputs, width, channels, kernel_width;
    bool relu;
};

/// The best so far stands in y and index, which the first-level cache holds: 11 to 25 GB/s on one core of the reference
/// machine, as fast as memory; a special path for 2 x 2 gained nothing.
template <class Index, class T>
[[gnu::always_inline]] inline void forward_row(const RowOfWindows<T>& row) {
    const std::int64_t channels = row.channels;
    for (std::int64_t o = 0; o < row.outputs; ++o) {
        const WindowSpan rows = row.rows, columns = row.columns[o];
        T* y = row.y + o * channels;
        Index* index = static_cast<Index*>(row.index);
        if constexpr (!std::is_void_v<Index>) index += o * channels;
        const auto element = [&](std::int64_t h, std::int64_t w) { return row.x + (h * row.width + w) * channels; };
        const auto position = [&](std::int64_t h, std::int64_t w) {
            return static_cast<std::int32_t>((h - rows.start) * row.kernel_width + w - columns.start);
        };
        std::copy_n(element(rows.first, columns.first), channels, y);
        if constexpr (!std::is_void_v<Index>)
            std::fill_n(index, channels, static_cast<Index>(position(rows.first, columns.first)));
        for (std::int64_t h = rows.first; h < rows.last; ++h)
            for (std::int64_t w = columns.first + (h == rows.first); w < columns.last; ++w)
                challenge<Index>(element(h, w), y, index, channels, position(h, w));
        if (row.relu)
            for (std::int64_t c = 0; c < channels; ++c) y[c] = load(y[c]) < 0 ? T{} : y[c];
    }
}

using WindowsF32 = RowOfWindows<float>;
using WindowsBF16 = RowOfWindows<BFloat16>;
HEDDLE_SIMD_CLONES void forward_row_u8(const WindowsF32& row) { forward_row<std::uint8_t>(row); }
HEDDLE_SIMD_CLONES void forward_row_i32(const WindowsF32& row) { forward_row<std::int32_t>(row); }
HEDDLE_SIMD_CLONES void forward_row_bare(const WindowsF32& row) { forward_row<void>(row); }
HEDDLE_SIMD_CLONES void forward_row_u8(const WindowsBF16& row) { forward_row<std::uint8_t>(row); }
HEDDLE_SIMD_CLONES void forward_row_i32(const WindowsBF16& row) { forward_row<std::int32_t>(row); }
HEDDLE_SIMD_CLONES void forward_row_bare(const WindowsBF16& row) { forward_row<void>(row); }

/// Rows per thread so that a thread gets at least some 16k elements.
std::int64_t row_grain(std::int64_t elements_per_row) {
    return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(elements_per_row, 1));
}

template <class T>
void forward_in(const MaxPool2dForward& args) {
    const Shape &x = args.x.shape, &y = args.y.shape;
    const Pool2dParams& params = args.params;
    std::vector<WindowSpan> columns;
    for (std::int64_t w = 0; w < y[2]; ++w) columns.push_back(window_span(params, 1, w, x[2]));
    const bool narrow = args.index && args.index.dtype == DType::u8;
    using RunRow = void (*)(const RowOfWindows<T>&);
    const RunRow run_row = narrow       ? static_cast<RunRow>(forward_row_u8)
                           : args.index ? static_cast<RunRow>(forward_row_i32)
                                        : static_cast<RunRow>(forward_row_bare);
    const std::int64_t row_elements = y[2] * y[3];
    const auto index_bytes = static_cast<std::int64_t>(size_of(args.index.dtype));
    parallel_for(
        y[0] * y[1], row_grain(row_elements * params.kernel[0] * params.kernel[1]),
        [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t r = first; r < last; ++r)
                run_row({.x = args.x.as<T>() + r / y[1] * x.elements(1, 4),
                         .y = args.y.as<T>() + r * row_elements,
                         .index = args.index ? args.index.as<std::byte>() + r * row_elements * index_bytes : nullptr,
                         .rows = window_span(params, 0, r % y[1], x[1]),
                         .columns = columns.data(),
                         .outputs = y[2],
                         .width = x[2],
                         .channels = x[3],
                         .kernel_width = params.kernel[1],
                         .relu = args.activation == FusedActivation::relu});
        });
}

void forward(const MaxPool2dForward& args, KernelContext&) {
    with_f32_or_bf16(args.x.dtype, [&](auto zero) { forward_in<decltype(zero)>(args); });
}

/// One row of dx and what it collects from: dy, y and index of its picture.
template <class T>
struct RowOfElements {
    const T* dy;
    const T* y;  // null: no activation
    const void* index;
    T* dx;
    float* sum;  // scratch of a place's channels
    Cover rows;
    const Cover* columns;                        // one per element of the row
    std::int64_t row, outputs, width, channels;  // `outputs`: in a row of y
    const Pool2dParams* params;
};

template <class Index, bool relu, class T>
[[gnu::always_inline]] inline void backward_row(const RowOfElements<T>& row) {
    const Pool2dParams& params = *row.params;
    for (std::int64_t w = 0; w < row.width; ++w) {
        T* __restrict dx = row.dx + w * row.channels;
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
                    for (std::int64_t c = 0; c < row.channels; ++c) store(dx[c], share(c));
                else if (started)
                    for (std::int64_t c = 0; c < row.channels; ++c) sum[c] += share(c);
                else
                    for (std::int64_t c = 0; c < row.channels; ++c) sum[c] = share(c);
                started = true;
            }
        if (alone) continue;
        if (started)
            for (std::int64_t c = 0; c < row.channels; ++c) store(dx[c], sum[c]);
        else
            for (std::int64_t c = 0; c < row.channels; ++c) dx[c] = T{};
    }
}

using ElementsF32 = RowOfElements<float>;
using ElementsBF16 = RowOfElements<BFloat16>;
HEDDLE_SIMD_CLONES void backward_row_u8(const ElementsF32& row) { backward_row<std::uint8_t, false>(row); }
HEDDLE_SIMD_CLONES void backward_row_i32(const ElementsF32& row) { backward_row<std::int32_t, false>(row); }
HEDDLE_SIMD_CLONES void backward_row_relu_u8(const ElementsF32& row) { backward_row<std::uint8_t, true>(row); }
HEDDLE_SIMD_CLONES void backward_row_relu_i32(const ElementsF32& row) { backward_row<std::int32_t, true>(row); }
HEDDLE_SIMD_CLONES void backward_row_u8(const ElementsBF16& row) { backward_row<std::uint8_t, false>(row); }
HEDDLE_SIMD_CLONES void backward_row_i32(const ElementsBF16& row) { backward_row<std::int32_t, false>(row); }
HEDDLE_SIMD_CLONES void backward_row_relu_u8(const ElementsBF16& row) { backward_row<std::uint8_t, true>(row); }
HEDDLE_SIMD_CLONES void backward_row_relu_i32(const ElementsBF16& row) { backward_row<std::int32_t, true>(row); }

template <class T>
void backward_in(const MaxPool2dBackward& args) {
    const Shape &x = args.dx.shape, &y = args.dy.shape;
    const std::vector<Cover> rows = covers(args.params, 0, x[1], y[1]), columns = covers(args.params, 1, x[2], y[2]);
    const bool relu = args.activation == FusedActivation::relu, narrow = args.index.dtype == DType::u8;
    using RunRow = void (*)(const RowOfElements<T>&);
    RunRow run_row = relu ? static_cast<RunRow>(backward_row_relu_i32) : static_cast<RunRow>(backward_row_i32);
    if (narrow) run_row = relu ? static_cast<RunRow>(backward_row_relu_u8) : static_cast<RunRow>(backward_row_u8);
    const std::int64_t row_elements = x[2] * x[3], picture = y.elements(1, 4);
    const auto index_bytes = static_cast<std::int64_t>(size_of(args.index.dtype));
    parallel_for(x[0] * x[1], row_grain(row_elements), [&](std::int64_t first, std::int64_t last) {
        std::vector<float> sum(static_cast<std::size_t>(x[3]));
        for (std::int64_t r = first; r < last; ++r) {
            const std::int64_t n = r / x[1], h = r % x[1];
            run_row({.dy = args.dy.as<T>() + n * picture,
                     .y = relu ? args.y.as<T>() + n * picture : nullptr,
                     .index = args.index.as<std::byte>() + n * picture * index_bytes,
                     .dx = args.dx.as<T>() + r * row_elements,
                     .sum = sum.data(),
                     .rows = rows[static_cast<std::size_t>(h)],
                     .columns = columns.data(),
                     .row = h,
                     .outputs = y[2],
                     .width = x[2],
                     .channels = x[3],
                     .params = &args.params});
        }
    });
}

void backward(const MaxPool2dBackward& args, KernelContext&) {
    with_f32_or_bf16(args.dx.dtype, [&](auto zero) { backward_in<decltype(zero)>(args); });
}

}  // namespace

void add_cpu(KernelTable<MaxPool2dForward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const MaxPool2dForward& args) { return f32_or_bf16(args.x.dtype); },
               .run = forward});
}

void add_cpu(KernelTable<MaxPool2dBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const MaxPool2dBackward& args) { return f32_or_bf16(args.dy.dtype); },
               .run = backward});
}

}  // namespace heddle::kernels
