#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/parallel.h"
#include "kernels/conv/cpu_plans.h"
#include "kernels/conv/extents.h"
#include "kernels/conv/implementations.h"
#include "kernels/dispatch.h"
#include "kernels/onednn.h"
#include "kernels/register_block.h"

// A convolution and its gradients as products with a matrix of columns (im2col; Chellapilla, Puri and Simard, 2006): a
// row for each output pixel holds what its taps read. Only some rows exist at a time, so that they stay in the
// third-level cache. A thread multiplies them by oneDNN's sgemm, which with AVX2 comes closer to the processor's peak
// than oneDNN's convolutions do.
//
// Floor: 2 operations for each tap, channel and output; x, w and y (or their gradients) once. The columns are written
// and read as well: a float for 2 * outputs operations.
namespace heddle::kernels {
namespace {

HEDDLE_SIMD_CLONES void add(const float* from, std::int64_t count, float* to) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

/// y = activation(y + bias), over rows; NaN passes.
HEDDLE_SIMD_CLONES void finish(const float* bias, bool relu, std::int64_t rows, std::int64_t outputs, float* y) {
    const float floor = relu ? 0.0f : -__builtin_inff();
    for (; rows > 0; --rows, y += outputs)
#pragma GCC ivdep
        for (std::int64_t i = 0; i < outputs; ++i) {
            const float value = bias ? y[i] + bias[i] : y[i];
            y[i] = value < floor ? floor : value;
        }
}

/// c [m, n] = op(a) op(b) [+ c], on the calling thread.
void multiply(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
              const float* b, bool accumulate, float* c) {
    const auto status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1, a, transpose_a ? m : k,
                                   b, transpose_b ? k : n, accumulate ? 1.0f : 0.0f, c, n);
    check(status == dnnl_success, "conv2d: oneDNN's sgemm failed (status {})", static_cast<int>(status));
}

struct Columns {
    ConvExtents e;
    Conv2dParams params;
    std::int64_t length = e.taps() * e.channels;  ///< of a row
    std::int64_t picture_pixels = e.out_height * e.out_width;
    /// The rows of a product: 2 MB, enough that packing the other operand, which sgemm does anew each time, costs
    /// little.
    std::int64_t most_rows =
        std::clamp<std::int64_t>((1 << 19) / length, 32, std::max<std::int64_t>(32, e.out_pixels()));

    template <class Args>
    explicit Columns(const Args& args) : e(args), params(args.params) {}

    std::int64_t floats() const { return most_rows * length; }
    /// How many threads have something to do.
    std::int64_t parts() const { return std::clamp<std::int64_t>(e.out_pixels() / 64, 1, onednn::threads()); }

    /// Calls `body(place in the row, offset in the pictures, count)` for each run of floats that an output pixel's taps
    /// read from inside its picture.
    template <class Body>
    void for_each_run(std::int64_t pixel, const Body& body) const {
        const std::int64_t picture = pixel / picture_pixels, place = pixel % picture_pixels;
        const std::int64_t top = place / e.out_width * params.stride[0] - params.padding[0];
        const std::int64_t left = place % e.out_width * params.stride[1] - params.padding[2];
        const std::int64_t step = params.dilation[1];
        const std::int64_t first = left < 0 ? (step - 1 - left) / step : 0;
        const std::int64_t last = left < e.width ? std::min(e.kernel_width, (e.width - 1 - left) / step + 1) : 0;
        if (first >= last) return;
        for (std::int64_t tap = 0; tap < e.kernel_height; ++tap) {
            const std::int64_t line = top + tap * params.dilation[0];
            if (line < 0 || line >= e.height) continue;
            const std::int64_t begin = (picture * e.height + line) * e.width + left;
            if (step == 1) {
                body((tap * e.kernel_width + first) * e.channels, (begin + first) * e.channels,
                     (last - first) * e.channels);
                continue;
            }
            for (std::int64_t across = first; across < last; ++across)
                body((tap * e.kernel_width + across) * e.channels, (begin + across * step) * e.channels, e.channels);
        }
    }

    void gather(const float* x, std::int64_t first, std::int64_t rows, float* columns) const {
        std::fill_n(columns, rows * length, 0.0f);
        for (std::int64_t row = 0; row < rows; ++row, columns += length)
            for_each_run(first + row, [&](std::int64_t place, std::int64_t offset, std::int64_t count) {
                std::memcpy(columns + place, x + offset, static_cast<std::size_t>(count) * sizeof(float));
            });
    }

    void scatter(const float* columns, std::int64_t first, std::int64_t rows, float* dx) const {
        for (std::int64_t row = 0; row < rows; ++row, columns += length)
            for_each_run(first + row, [&](std::int64_t place, std::int64_t offset, std::int64_t count) {
                add(columns + place, count, dx + offset);
            });
    }
};

/// Runs `body(part, parts, its workspace)` on a thread for each part that the workspace, of `floats` a part, was sized
/// for: another thread may have changed the thread count since.
template <class Body>
void for_each_part(const KernelContext& context, std::int64_t floats, const Body& body) {
    const auto parts = static_cast<std::int64_t>(context.workspace_bytes / sizeof(float)) / floats;
    parallel_for(parts, 1, [&](std::int64_t first, std::int64_t last) {
        const onednn::ThreadScope scope;
        for (std::int64_t part = first; part < last; ++part)
            body(part, parts, static_cast<float*>(context.workspace) + part * floats);
    });
}

/// y = columns w^T, added to the residual where there is one.
struct Forward {
    const Conv2dForward& args;
    Columns c{args};

    std::int64_t part_floats() const { return c.floats(); }

    void run(KernelContext& context) const {
        const std::int64_t pixels = c.e.out_pixels(), outputs = c.e.outputs;
        const float *bias = args.bias ? args.bias.as<float>() : nullptr,
                    *residual = args.residual ? args.residual.as<float>() : nullptr;
        const bool relu = args.activation == FusedActivation::relu;
        for_each_part(context, part_floats(), [&](std::int64_t part, std::int64_t parts, float* columns) {
            const std::int64_t begin = pixels * part / parts, end = pixels * (part + 1) / parts;
            for (std::int64_t first = begin; first < end; first += c.most_rows) {
                const std::int64_t rows = std::min(c.most_rows, end - first);
                float* const y = args.y.as<float>() + first * outputs;
                c.gather(args.x.as<float>(), first, rows, columns);
                if (residual && args.residual.data != args.y.data)
                    std::copy_n(residual + first * outputs, rows * outputs, y);
                multiply(false, true, rows, outputs, c.length, columns, args.w.as<float>(), residual != nullptr, y);
                if (bias || relu) finish(bias, relu, rows, outputs, y);
            }
        });
    }
};

/// columns = dy w, each of which is added to the pixels it was read from. A picture belongs to one thread.
struct DataGradient {
    const Conv2dBackwardData& args;
    Columns c{args};

    std::int64_t part_floats() const { return c.floats(); }

    void run(KernelContext& context) const {
        const std::int64_t pictures = c.e.pictures, picture = c.e.height * c.e.width * c.e.channels;
        for_each_part(context, part_floats(), [&](std::int64_t part, std::int64_t parts, float* columns) {
            const std::int64_t begin = pictures * part / parts, end = pictures * (part + 1) / parts;
            std::fill_n(args.dx.as<float>() + begin * picture, (end - begin) * picture, 0.0f);
            const std::int64_t last = end * c.picture_pixels;
            for (std::int64_t first = begin * c.picture_pixels; first < last; first += c.most_rows) {
                const std::int64_t rows = std::min(c.most_rows, last - first);
                multiply(false, false, rows, c.length, c.e.outputs, args.dy.as<float>() + first * c.e.outputs,
                         args.w.as<float>(), false, columns);
                c.scatter(columns, first, rows, args.dx.as<float>());
            }
        });
    }
};

/// dw = dy^T columns, summed over the blocks of rows of each thread, and then over the threads.
struct WeightsGradient {
    const Conv2dBackwardWeights& args;
    Columns c{args};
    std::int64_t outputs = c.e.outputs, weights = outputs * c.length;

    /// The sums of dw and dbias, those of dbias in a block, and the columns.
    std::int64_t part_floats() const { return weights + 2 * outputs + c.floats(); }

    void run(KernelContext& context) const {
        std::int64_t count = 0;
        for_each_part(context, part_floats(), [&](std::int64_t part, std::int64_t parts, float* sums) {
            if (part == 0) count = parts;
            sum_part(c.e.out_pixels() * part / parts, c.e.out_pixels() * (part + 1) / parts, sums);
        });
        join(static_cast<const float*>(context.workspace), count, weights, args.dw.as<float>());
        if (args.dbias)
            join(static_cast<const float*>(context.workspace) + weights, count, outputs, args.dbias.as<float>());
    }

  private:
    void sum_part(std::int64_t begin, std::int64_t end, float* sums) const {
        float *bias = sums + weights, *block_bias = bias + outputs, *columns = block_bias + outputs;
        std::fill_n(bias, outputs, 0.0f);
        if (begin == end) std::fill_n(sums, weights, 0.0f);
        for (std::int64_t first = begin; first < end; first += c.most_rows) {
            const std::int64_t rows = std::min(c.most_rows, end - first);
            const float* dy = args.dy.as<float>() + first * outputs;
            c.gather(args.x.as<float>(), first, rows, columns);
            multiply(true, false, outputs, c.length, rows, dy, columns, first > begin, sums);
            if (!args.dbias) continue;
            std::fill_n(block_bias, outputs, 0.0f);
            for (std::int64_t row = 0; row < rows; ++row) add(dy + row * outputs, outputs, block_bias);
            add(block_bias, outputs, bias);
        }
    }

    void join(const float* sums, std::int64_t parts, std::int64_t count, float* to) const {
        parallel_for(count, 16384, [&](std::int64_t first, std::int64_t last) {
            std::copy(sums + first, sums + last, to + first);
            for (std::int64_t part = 1; part < parts; ++part)
                add(sums + part * part_floats() + first, last - first, to + first);
        });
    }
};

/// By AVX2, on two cores of a Zen 3, against oneDNN 2.6.3: with 3 x 3 taps and stride 2 1.2 to 1.9 times as fast for 32
/// channels and more, equally fast for 16 (144 floats in a row); with dilation 1.3 to 1.5, the gradient of the
/// weights 2.6 and more; with one tap 0.7 to 1.1, but 1.0 to 1.4 for 1024 channels to 2048. With AVX-512, where
/// oneDNN's convolutions are near the peak, it was not measured.
bool pays(const ConvExtents& e) { return e.taps() > 1 && e.taps() * e.channels >= 256 && e.outputs >= 32; }

template <class Args>
Support supports(const Args& args) {
    const ConvOperands o = operands(args);
    if (const Support support = only_f32(o.x.dtype); !support) return support;
    if (o.x.elements() == 0 || o.w.elements() == 0 || o.y.elements() == 0) return Support::no("an empty tensor");
    const ConvExtents e(args);
    if (e.groups != 1) return Support::no("groups");
    if (!pays(e)) return Support::no("too few channels, outputs or taps to pay");
    if constexpr (requires { args.dx; })
        if (e.pictures < onednn::threads()) return Support::no("fewer pictures than threads");
    if (block::has_wide_vectors()) return Support::no("a processor with AVX-512, where oneDNN's convolutions are fast");
    return Support::yes();
}

template <class Work, class Args>
void add_to(KernelTable<Args>& table) {
    table.add({.name = "cpu_columns",
               .priority = priority::plain + 3,
               .supports = supports<Args>,
               .workspace_bytes =
                   [](const Args& args) {
                       const Work work{args};
                       return static_cast<std::size_t>(work.c.parts() * work.part_floats()) * sizeof(float);
                   },
               .run = [](const Args& args, KernelContext& context) { Work{args}.run(context); }});
}

}  // namespace

void add_cpu_columns(KernelTable<Conv2dForward>& table) { add_to<Forward>(table); }
void add_cpu_columns(KernelTable<Conv2dBackwardData>& table) { add_to<DataGradient>(table); }
void add_cpu_columns(KernelTable<Conv2dBackwardWeights>& table) { add_to<WeightsGradient>(table); }

}  // namespace heddle::kernels
