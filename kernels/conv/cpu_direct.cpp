#include <algorithm>
#include <array>

#include "core/parallel.h"
#include "kernels/conv/bands.h"
#include "kernels/conv/extents.h"
#include "kernels/conv/implementations.h"
#include "kernels/dispatch.h"
#include "kernels/onednn.h"
#include "kernels/register_block.h"

// Register-blocked direct forward convolution on NHWC, for shapes where it beats oneDNN's. The pixels under a row of a
// window, with their channels, are contiguous: a row of results is a matrix product whose left rows overlap. Nothing is
// copied but a band of the picture at its borders, to pad it with zeros.
//
// Floor: 2 operations for each tap, channel and output; x once, y once, the residual once. (A separate pass for the
// residual would read y and write it again.)
namespace heddle::kernels {
namespace {

using namespace block;

/// Rows of results: for each position along the picture's width a row of a matrix, for each output a column.
struct Rows {
    const float* source;  // the first pixel under the first window
    std::int64_t row_step, pixel_step, run_step, run, runs;
    const float* filters;   // in panels
    const float* bias;      // or null
    const float* residual;  // or null; laid out as the results, and may be they
    float* result;
    std::int64_t rows, positions, outputs;
    bool relu;
};

template <class V, int vectors>
HEDDLE_INLINE void convolve_columns(const Rows& r, std::int64_t column, std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t height = block_height<V, vectors>, width = width_of<V>;
    const std::int64_t right_step = panel_width(column, r.outputs);
    const float* right = r.filters + column / panel * panel * r.run * r.runs + column % panel;
    const float* bias = r.bias ? r.bias + column : nullptr;
    // Only one addend fits the epilogue of the product: the residual if there is one, since y may overwrite it.
    const bool bias_last = bias && r.residual;
    for (std::int64_t row = begin; row < end; ++row) {
        const float* source = r.source + row * r.row_step;
        const std::int64_t place = row * r.positions * r.outputs + column;
        float* result = r.result + place;
        const float* residual = r.residual ? r.residual + place : nullptr;
        for (std::int64_t first = 0; first < r.positions; first += height) {
            // Stores need the line in the cache: fetch it early enough that they need not wait.
            for (std::int64_t position = first + 2 * height; position < first + 3 * height; ++position)
                for (int vector = 0; vector < vectors; ++vector)
                    __builtin_prefetch(result + position * r.outputs + vector * width, 1);
            multiply_rows<vectors, height, V>(
                std::min(height, r.positions - first), {source + first * r.pixel_step, r.pixel_step, 1, r.run_step},
                right, right_step, residual ? Addend{residual + first * r.outputs, r.outputs} : Addend{bias, 0},
                result + first * r.outputs, r.outputs, r.run, r.runs);
        }
        if (!r.relu && !bias_last) continue;
        for (std::int64_t position = 0; position < r.positions; ++position)
            for (int vector = 0; vector < vectors; ++vector) {
                UnalignedOf<V>& y = at<V>(result + position * r.outputs + vector * width);
                V value = y;
                if (bias_last) value += at<V>(bias + vector * width);
                if (r.relu) value = value < 0 ? V{} : value;  // NaN passes
                y = value;
            }
    }
}

HEDDLE_SIMD_CLONES void convolve(const Rows& r) {
    // If the filters fit the first-level cache, results are written row by row; else one panel of them stays there.
    const std::int64_t strip = r.run * r.runs * r.outputs <= 6144 ? 1 : r.rows;
    for (std::int64_t row = 0; row < r.rows; row += strip)
        for_each_block_of_columns(r.outputs, [&]<class V, int vectors>(std::int64_t column) HEDDLE_INLINE_LAMBDA {
            convolve_columns<V, vectors>(r, column, row, row + strip);
        });
}

/// 16 of the filters [O, length] from `output` on, to their panel: a row for each tap and channel.
HEDDLE_SIMD_CLONES void pack_filters(const float* w, std::int64_t length, std::int64_t outputs, std::int64_t output,
                                     float* packed) {
    const std::int64_t width = panel_width(output, outputs);
    float* to = packed + output / panel * panel * length + output % panel;
    for (std::int64_t k = 0; k < length; ++k, to += width)
        for (std::int64_t n = 0; n < lanes; ++n) to[n] = w[(output + n) * length + k];
}

struct Convolution {
    const Conv2dForward& args;
    ConvExtents e{args};
    std::int64_t stride_h = args.params.stride[0], stride_w = args.params.stride[1];
    Bands bands = bands_of(e, args.params);

    /// Rows of results that are computed from one copy, which is to stay in the second-level cache.
    std::int64_t band_rows() const {
        std::int64_t rows = e.out_height;
        while (rows > 1 && bands.floats(rows) > 48 * 1024) rows = (rows + 1) / 2;
        return rows;
    }
    std::int64_t copy_floats() const { return bands.floats(band_rows()); }
    std::int64_t packed_floats() const { return e.taps() * e.channels * e.outputs; }  // outputs: a multiple of 16

    std::size_t workspace_bytes(std::int64_t parts) const {
        return static_cast<std::size_t>(packed_floats() + parts * copy_floats()) * sizeof(float);
    }

    void run(KernelContext& context) const {
        float* packed = static_cast<float*>(context.workspace);
        const std::int64_t length = e.taps() * e.channels;
        parallel_for(e.outputs / lanes, 4096 / length + 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i)
                pack_filters(args.w.as<float>(), length, e.outputs, i * lanes, packed);
        });
        const std::int64_t rows = band_rows(), per_picture = (e.out_height + rows - 1) / rows;
        const std::int64_t units = e.pictures * per_picture;
        // As many parts as the workspace was sized for: another thread may have changed the thread count since.
        const std::int64_t parts =
            (static_cast<std::int64_t>(context.workspace_bytes / sizeof(float)) - packed_floats()) / copy_floats();
        parallel_for(parts, 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t part = first; part < last; ++part)
                for (std::int64_t unit = units * part / parts; unit < units * (part + 1) / parts; ++unit) {
                    const std::int64_t row = unit % per_picture * rows;
                    run_band(unit / per_picture, row, std::min(rows, e.out_height - row), packed,
                             packed + packed_floats() + part * copy_floats());
                }
        });
    }

    void run_band(std::int64_t picture, std::int64_t row, std::int64_t rows, const float* packed, float* copy) const {
        const float* x = args.x.as<float>() + picture * e.height * e.width * e.channels;
        const Bands::Band band = bands.band(x, row, rows, copy);
        const std::int64_t place = (picture * e.out_height + row) * e.out_width * e.outputs;
        convolve({.source = band.data,
                  .row_step = stride_h * band.line,
                  .pixel_step = stride_w * e.channels,
                  .run_step = band.line,
                  .run = e.kernel_width * e.channels,
                  .runs = e.kernel_height,
                  .filters = packed,
                  .bias = args.bias ? args.bias.as<float>() : nullptr,
                  .residual = args.residual ? args.residual.as<float>() + place : nullptr,
                  .result = args.y.as<float>() + place,
                  .rows = rows,
                  .positions = e.out_width,
                  .outputs = e.outputs,
                  .relu = args.activation == FusedActivation::relu});
    }
};

/// Against oneDNN's on one core of a Zen 4 (1 MB of second-level cache): with up to 32 channels and outputs 1.1 to 1.2
/// times as fast (3 to 16 channels of 32 x 32 pixels: 1.08; 16 to 32 with stride 2: 1.2), with 3 x 3 taps and more
/// outputs 0.8 to 1.04 (3 to 64: 0.94). With one tap and a stride, as in a shortcut, 1.1 to 1.3; 0.94 where a picture's
/// results, which are written panel by panel, outgrow the cache. The data gradient by the same means, a convolution for
/// each phase of the stride, reached 0.9 to 1.03 and was left out.
/// By AVX2, on two cores of a Zen 3: 16 to 32 channels with stride 2 1.3 to 1.6 times as fast, 3 channels to 16 1.0, to
/// 64 1.2 (7 x 7 taps: 1.3), one tap with a stride 0.82 to 1.0. More are left to `cpu_columns`, which is as fast (64
/// channels to 128: 0.92) and whose shorter chains of sums round less.
bool pays(const ConvExtents& e, const Conv2dParams& params) {
    if (!has_wide_vectors())
        return e.taps() > 1 && (e.channels < lanes ? e.outputs > lanes : e.channels * e.outputs <= 32 * 32);
    if (e.taps() == 1) return params.stride[0] > 1 && e.out_height * e.out_width * e.outputs <= (1 << 18);
    return e.channels <= 32 && e.outputs <= 32;
}

Support supports(const Conv2dForward& args) {
    if (const Support support = only_f32(args.x.dtype); !support) return support;
    if (args.x.elements() == 0 || args.w.elements() == 0 || args.y.elements() == 0)
        return Support::no("an empty tensor");
    if (args.params.dilation != std::array<std::int64_t, 2>{1, 1}) return Support::no("dilation");
    if (args.params.groups != 1) return Support::no("groups");
    const ConvExtents e(args);
    if (e.outputs % lanes != 0) return Support::no("outputs that are no multiple of 16");
    if (!pays(e, args.params)) return Support::no("channels, outputs or taps with which oneDNN is faster");
    return has_vectors() ? Support::yes() : Support::no("a processor without AVX2");
}

}  // namespace

void add_cpu_direct(KernelTable<Conv2dForward>& table) {
    table.add({.name = "cpu_direct",
               .priority = priority::plain + 5,
               .supports = supports,
               .workspace_bytes =
                   [](const Conv2dForward& args) { return Convolution{args}.workspace_bytes(onednn::threads()); },
               .run = [](const Conv2dForward& args, KernelContext& context) { Convolution{args}.run(context); }});
}

}  // namespace heddle::kernels
