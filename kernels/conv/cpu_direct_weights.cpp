#include <algorithm>
#include <array>
#include <cstring>

#include "core/parallel.h"
#include "kernels/conv/bands.h"
#include "kernels/conv/implementations.h"
#include "kernels/dispatch.h"
#include "kernels/onednn.h"
#include "kernels/prefetch.h"
#include "kernels/register_block.h"

// Register-blocked gradient of the filters on NHWC, for shapes where it beats oneDNN's. It is a matrix product,
// dw^T [taps * C, O] = patches^T dy, but the patches are never stored: the pixels under one row of a window are
// contiguous, so that for a row of the filters the left operand is a band of x whose rows overlap. Each thread sums
// over its pictures in its own matrix, one band after the other, while the next band is prefetched; the threads' sums
// are added in order.
//
// Floor: 2 operations for each tap, channel and output; x once, dy once.
namespace heddle::kernels {
namespace {

using namespace block;

/// The rows of a block: of two vectors of AVX-512's, which has registers for 24 sums, 12.
template <class V, int vectors>
constexpr int tallest = (width_of<V> == lanes) && (vectors == 2) ? 12 : block_height<V, vectors>;

/// A band of results: the gradients dy [rows * positions, outputs] and what lies under their windows.
struct Products {
    const float* source;                // the first pixel under the first window
    std::int64_t row_step, pixel_step;  // from a window to the next, down and across
    std::int64_t run_step, run, runs;   // the rows of a window
    const float* dy;
    std::int64_t rows, positions, outputs;
    float* sums;  // [runs * run (+ 1 for the bias), outputs]
    bool fresh;   // sums hold nothing yet
    bool bias;
    Prefetch dy_ahead, x_ahead;  // what the next band needs
};

/// Fetches the next band evenly while this one is computed.
struct Ahead {
    Prefetch dy, x;
    std::int64_t lines;  // at a time

    HEDDLE_INLINE explicit Ahead(const Products& p) : dy(p.dy_ahead), x(p.x_ahead) {
        const std::int64_t width = has_wide_vectors() ? panel : lanes;
        const std::int64_t height = has_wide_vectors() ? tallest<Lanes, 2> : tallest<HalfLanes, 2>;
        const std::int64_t blocks = p.runs * ((p.run + height - 1) / height) * ((p.outputs + width - 1) / width);
        lines = (dy.lines() + x.lines()) / (blocks * p.rows) + 1;
    }
    HEDDLE_INLINE void fetch() {
        if (!dy.fetch(lines)) x.fetch(lines);
    }
};

template <class V, int vectors>
HEDDLE_INLINE void add_columns(const Products& p, std::int64_t column, Ahead& ahead) {
    constexpr int most = tallest<V, vectors>;
    const float* dy = p.dy + column;
    const std::int64_t height = even_height(p.run, most);
    float* sums = p.sums + column;
    for (std::int64_t r = 0; r < p.runs; ++r)
        for (std::int64_t k = 0; k < p.run; k += height) {
            const std::int64_t count = std::min(height, p.run - k);
            multiply_rows<vectors, most, V>(count, {p.source + r * p.run_step + k, 1, p.pixel_step, p.row_step}, dy,
                                            p.outputs, {p.fresh ? nullptr : sums, p.outputs}, sums, p.outputs,
                                            p.positions, p.rows, [&]() HEDDLE_INLINE_LAMBDA { ahead.fetch(); });
            sums += count * p.outputs;
        }
    const float one = 1;
    if (p.bias)
        multiply_block<vectors, 1, V>({&one, 0, 0}, dy, p.outputs, {p.fresh ? nullptr : sums, p.outputs}, sums,
                                      p.outputs, p.rows * p.positions);
}

HEDDLE_SIMD_CLONES void add_products(const Products& p) {
    Ahead ahead(p);
    for_each_block_of_columns(p.outputs, [&]<class V, int vectors>(std::int64_t column)
                                             HEDDLE_INLINE_LAMBDA { add_columns<V, vectors>(p, column, ahead); });
}

/// The threads' sums [length, outputs], `step` floats apart, for 16 outputs from `output` on: added, and turned to rows
/// of dw.
HEDDLE_SIMD_CLONES void join_parts(const float* sums, std::int64_t parts, std::int64_t step, std::int64_t length,
                                   std::int64_t outputs, std::int64_t output, float* dw) {
    for (std::int64_t first = 0; first < length; first += lanes) {
        const std::int64_t count = std::min(lanes, length - first);
        float tile[lanes * lanes];
        for (std::int64_t k = 0; k < count; ++k) {
            const float* from = sums + (first + k) * outputs + output;
            Lanes sum = at(from);
            for (std::int64_t part = 1; part < parts; ++part) sum += at(from + part * step);
            at(tile + k * lanes) = sum;
        }
        for (std::int64_t n = 0; n < lanes; ++n)
            for (std::int64_t k = 0; k < count; ++k) dw[(output + n) * length + first + k] = tile[k * lanes + n];
    }
}

struct Gradient {
    const Conv2dBackwardWeights& args;
    ConvExtents e{args};
    std::int64_t stride_h = args.params.stride[0], stride_w = args.params.stride[1];
    std::int64_t length = e.taps() * e.channels, sums_floats = (length + 1) * e.outputs;
    Bands bands;

    explicit Gradient(const Conv2dBackwardWeights& arguments) : args(arguments), bands() {
        // Single pixels at equal distances: the rows of all pictures can be treated as those of one picture.
        if (e.kernel_height == 1 && e.height == e.out_height * stride_h && args.params.padding[0] == 0) {
            e.height *= e.pictures;
            e.out_height *= e.pictures;
            e.pictures = 1;
        }
        bands = bands_of(e, args.params);
    }

    /// Rows of results whose products are summed in registers before they are added to those in memory: enough that
    /// this costs little, and few enough that their gradients (64 KB) and the next band's stay in the second-level
    /// cache.
    std::int64_t band_rows() const {
        const std::int64_t positions = std::clamp<std::int64_t>(16384 / e.outputs, 32, 128);
        return even_height(e.out_height, std::clamp<std::int64_t>(positions / e.out_width, 1, e.out_height));
    }
    std::int64_t part_floats() const { return sums_floats + (bands.floats(band_rows()) + lanes - 1) / lanes * lanes; }

    std::size_t workspace_bytes(std::int64_t parts) const {
        return static_cast<std::size_t>(parts * part_floats()) * sizeof(float);
    }

    void run(KernelContext& context) const {
        float* workspace = static_cast<float*>(context.workspace);
        const std::int64_t units = e.pictures * ((e.out_height + band_rows() - 1) / band_rows());
        // As many parts as the workspace was sized for: another thread may have changed the thread count since.
        const std::int64_t step = part_floats();
        const std::int64_t parts = static_cast<std::int64_t>(context.workspace_bytes / sizeof(float)) / step;
        parallel_for(parts, 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t part = first; part < last; ++part) {
                const std::int64_t begin = units * part / parts, end = units * (part + 1) / parts;
                float* sums = workspace + part * step;
                if (begin == end) std::memset(sums, 0, static_cast<std::size_t>(sums_floats) * sizeof(float));
                for (std::int64_t unit = begin; unit < end; ++unit) add_band(unit, unit + 1 < end, sums, unit == begin);
            }
        });
        parallel_for(e.outputs / lanes, 16384 / length + 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) {
                join_parts(workspace, parts, step, length, e.outputs, i * lanes, args.dw.as<float>());
                if (args.dbias)
                    join_parts(workspace + length * e.outputs, parts, step, 1, e.outputs, i * lanes,
                               args.dbias.as<float>());
            }
        });
    }

    /// One of the `units`: a band of results of one picture.
    struct Unit {
        std::int64_t row, rows;
        const float *x, *dy;
    };
    Unit unit(std::int64_t index) const {
        const std::int64_t most = band_rows(), per_picture = (e.out_height + most - 1) / most;
        const std::int64_t picture = index / per_picture, row = index % per_picture * most;
        return {row, std::min(most, e.out_height - row), args.x.as<float>() + picture * e.height * e.width * e.channels,
                args.dy.as<float>() + (picture * e.out_height + row) * e.out_width * e.outputs};
    }

    void gather(const float* from, std::int64_t rows, std::int64_t row_step, float* to) const {
        for (std::int64_t row = 0; row < rows; ++row)
            for (std::int64_t position = 0; position < e.out_width; ++position, to += e.channels)
                std::memcpy(to, from + row * row_step + position * stride_w * e.channels,
                            static_cast<std::size_t>(e.channels) * sizeof(float));
    }

    void add_band(std::int64_t index, bool another, float* sums, bool fresh) const {
        const Unit now = unit(index);
        float* copy = sums + sums_floats;
        const Bands::Band band = bands.band(now.x, now.row, now.rows, copy);
        Products p{.source = band.data,
                   .row_step = stride_h * band.line,
                   .pixel_step = stride_w * e.channels,
                   .run_step = band.line,
                   .run = e.kernel_width * e.channels,
                   .runs = e.kernel_height,
                   .dy = now.dy,
                   .rows = now.rows,
                   .positions = e.out_width,
                   .outputs = e.outputs,
                   .sums = sums,
                   .fresh = fresh,
                   .bias = static_cast<bool>(args.dbias),
                   .dy_ahead = {},
                   .x_ahead = {}};
        // Single pixels with gaps between them are copied side by side, because they are read several times.
        if (e.taps() == 1 && stride_w > 1 && band.data != copy) {
            gather(band.data, now.rows, stride_h * band.line, copy);
            p.source = copy;
            p.row_step = e.out_width * e.channels;
            p.pixel_step = e.channels;
        }
        if (another) {
            const Unit next = unit(index + 1);
            p.dy_ahead = {next.dy, next.rows * e.out_width * e.outputs};
            p.x_ahead = bands.prefetch(next.x, next.row, next.rows, e.kernel_width, stride_w);
        }
        add_products(p);
    }
};

/// Against oneDNN's on one core of a Zen 4: 3 to 64 channels to 32 to 128 outputs with 3 x 3 taps 1.1 to 1.3 times as
/// fast (128 to 32: 1.8), 1 x 1 taps 1.05 to 1.5, 5 x 5 and 7 x 7 of few channels 1.02 to 1.2. With 16 outputs, which
/// fill no panel, 0.9; where a thread's sums outgrow what the second-level cache can spare (5 x 5 of 64 to 64, 256 to
/// 512) 0.93 to 1.03.
/// By AVX2, on two cores of a Zen 3: 3 x 3 taps 1.3 to 1.8 times as fast, 1 x 1 taps 1.2 to 1.25, but 0.8 with 256
/// outputs.
bool pays(const ConvExtents& e) {
    if (!has_wide_vectors() && e.taps() == 1 && e.outputs > 128) return false;
    return e.outputs >= panel && e.taps() * e.channels * e.outputs <= 80 * 1024;
}

Support supports(const Conv2dBackwardWeights& args) {
    if (const Support support = only_f32(args.x.dtype); !support) return support;
    if (args.x.elements() == 0 || args.dw.elements() == 0 || args.dy.elements() == 0)
        return Support::no("an empty tensor");
    if (args.params.dilation != std::array<std::int64_t, 2>{1, 1}) return Support::no("dilation");
    if (args.params.groups != 1) return Support::no("groups");
    const ConvExtents e(args);
    if (e.outputs % lanes != 0) return Support::no("outputs that are no multiple of 16");
    if (!pays(e)) return Support::no("channels, outputs or taps with which oneDNN is faster");
    return has_vectors() ? Support::yes() : Support::no("a processor without AVX2");
}

}  // namespace

void add_cpu_direct(KernelTable<Conv2dBackwardWeights>& table) {
    table.add({.name = "cpu_direct",
               .priority = priority::plain + 5,
               .supports = supports,
               .workspace_bytes =
                   [](const Conv2dBackwardWeights& args) { return Gradient(args).workspace_bytes(onednn::threads()); },
               .run = [](const Conv2dBackwardWeights& args, KernelContext& context) { Gradient(args).run(context); }});
}

}  // namespace heddle::kernels
