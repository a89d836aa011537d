#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "core/parallel.h"
#include "kernels/conv/implementations.h"
#include "kernels/conv/winograd_steps.h"
#include "kernels/dispatch.h"
#include "kernels/onednn.h"

// Winograd's F(4x4, 3x3) on NHWC. A thread takes a block of tiles through all steps (transform, 36 matrix products,
// inverse transform), so that intermediate results stay in its second-level cache. The data gradient is the convolution
// of dy with the filters rotated by 180 degrees. Channels are multiples of 16. Bias, residual and ReLU are applied in
// the inverse transform: separate passes would each read y and write it again.
namespace heddle::kernels {
namespace {

using namespace winograd;

void add_rows(const float* dy, std::int64_t first, std::int64_t last, std::int64_t channels, float* sums) {
    for (std::int64_t row = first; row < last; ++row)
        for (std::int64_t c = 0; c < channels; ++c) sums[c] += dy[row * channels + c];
}

/// Tiles per block: the transformed tiles should fit the second-level cache together with a matrix of U. (With 1 MB of
/// cache, as on Zen 4, using 640 KB is 3 to 8 % faster than using all of it or 256 KB.)
std::int64_t block_tiles(std::int64_t channels, std::int64_t outputs) {
    const std::int64_t fitting = 640 * 1024 / (components * 4 * (channels + outputs));
    return std::clamp<std::int64_t>(fitting / 16 * 16, 48, 224);
}

/// The layout of the workspace, in floats.
struct Layout {
    std::int64_t block, stride_x, stride_y;  // strides between components: odd lines, else 36 streams share a cache set
    std::int64_t spare, shared, per_part;

    /// `shared_floats`: what all parts share; `private_floats`: what a part needs beside its two blocks.
    Layout(std::int64_t channels, std::int64_t outputs, std::int64_t shared_floats, std::int64_t private_floats)
        : block(block_tiles(channels, outputs)),
          stride_x(block * channels + 16),
          stride_y(block * outputs + 16),
          spare(std::max(channels, outputs)),
          shared(shared_floats),
          per_part(components * (stride_x + stride_y) + spare + private_floats) {}

    std::size_t bytes(std::int64_t parts) const { return static_cast<std::size_t>(shared + parts * per_part) * 4; }
    /// The parts that a workspace was made for: another thread may have changed the thread count since.
    std::int64_t parts(std::size_t workspace_bytes) const {
        return (static_cast<std::int64_t>(workspace_bytes / 4) - shared) / per_part;
    }
};

/// Runs `body(part, first block, last block)` on a thread each.
template <class Body>
void for_each_part(std::int64_t parts, std::int64_t blocks, const Body& body) {
    parallel_for(parts, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t part = first; part < last; ++part)
            body(part, blocks * part / parts, blocks * (part + 1) / parts);
    });
}

std::int64_t tiles_over(std::int64_t extent) { return (extent + 3) / 4; }

/// y = x * filters, in the terms of a forward convolution; `w` as the caller has it.
struct Convolution {
    const View &x, &w, &y;
    std::int64_t top, left;
    bool turned;
    Epilogue epilogue;

    std::int64_t channels() const { return x.shape[3]; }
    std::int64_t outputs() const { return y.shape[3]; }
    Layout layout() const { return {channels(), outputs(), components * channels() * outputs(), 0}; }

    void run(KernelContext& context) const {
        const Layout l = layout();
        float* u = static_cast<float*>(context.workspace);
        const std::int64_t c = channels(), o = outputs();
        parallel_for(c / lanes, 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t row = first; row < last; ++row)
                transform_filters(w.as<float>(), w.shape[0], w.shape[3], turned, row * lanes, u);
        });
        const std::int64_t down = tiles_over(y.shape[1]), across = tiles_over(y.shape[2]);
        const std::int64_t tiles = y.shape[0] * down * across, parts = l.parts(context.workspace_bytes);
        const Tiles in{x.as<float>(), x.shape[1], x.shape[2], c, -top, -left, down, across};
        const Tiles out{y.as<float>(), y.shape[1], y.shape[2], o, 0, 0, down, across};
        // Small pictures: smaller blocks rather than idle threads.
        const std::int64_t block = std::min(l.block, ((tiles + parts - 1) / parts + 15) / 16 * 16);
        for_each_part(parts, (tiles + block - 1) / block, [&](std::int64_t part, std::int64_t begin, std::int64_t end) {
            float* v = u + l.shared + part * l.per_part;
            float* m = v + components * l.stride_x;
            float* spare = m + components * l.stride_y;
            for (std::int64_t b = begin; b < end; ++b) {
                const std::int64_t first = b * block, count = std::min(block, tiles - first);
                std::memset(spare, 0, static_cast<std::size_t>(l.spare) * 4);
                transform_inputs(in, first, count, spare, v, l.stride_x);
                for (std::int64_t p = 0; p < components; ++p)  // rows behind `count` hold anything and are not read
                    multiply({v + p * l.stride_x, c, 1}, u + p * c * o, true, m + p * l.stride_y,
                             (count + 15) / 16 * 16, o, c, false);
                transform_outputs(m, l.stride_y, out, first, count, epilogue, spare);
            }
        });
    }
};

Convolution convolution(const Conv2dForward& args) {
    return {args.x,
            args.w,
            args.y,
            args.params.padding[0],
            args.params.padding[2],
            false,
            {.bias = args.bias.as<float>(),
             .residual = args.residual.as<float>(),
             .relu = args.activation == FusedActivation::relu}};
}

Convolution convolution(const Conv2dBackwardData& args) {
    return {args.dy, args.w, args.dx, 2 - args.params.padding[0], 2 - args.params.padding[2], true, {}};
}

Layout layout(const Conv2dForward& args) { return convolution(args).layout(); }
Layout layout(const Conv2dBackwardData& args) { return convolution(args).layout(); }
Layout layout(const Conv2dBackwardWeights& args) {
    const std::int64_t c = args.x.shape[3], o = args.dy.shape[3];
    return {c, o, 0, components * c * o + o};
}

/// The weight gradient for few tiles and many channels, where dU is much larger than its operands: all tiles are
/// transformed first, then each thread takes bands of output channels, whose part of dU stays in its cache.
struct Bands {
    std::int64_t tiles, channels, outputs;

    explicit Bands(const Conv2dBackwardWeights& args)
        : tiles(args.x.shape[0] * tiles_over(args.dy.shape[1]) * tiles_over(args.dy.shape[2])),
          channels(args.x.shape[3]),
          outputs(args.dy.shape[3]) {}

    bool pay() const { return 2 * tiles * (channels + outputs) <= channels * outputs; }
    std::int64_t height() const { return outputs % 32 == 0 ? 32 : 16; }
    std::int64_t stride_x() const { return tiles * channels + 16; }
    std::int64_t stride_y() const { return tiles * outputs + 16; }
    std::int64_t shared() const { return components * (stride_x() + stride_y()) + std::max(channels, outputs); }
    std::int64_t per_part() const { return components * height() * channels; }
    std::size_t bytes(std::int64_t parts) const { return static_cast<std::size_t>(shared() + parts * per_part()) * 4; }

    void run(const Tiles& in, const Tiles& out, const Conv2dBackwardWeights& args, KernelContext& context) const {
        float* v = static_cast<float*>(context.workspace);
        float* z = v + components * stride_x();
        float* zeros = z + components * stride_y();
        float* du = v + shared();
        std::memset(zeros, 0, static_cast<std::size_t>(std::max(channels, outputs)) * 4);
        parallel_for(tiles, 4, [&](std::int64_t first, std::int64_t last) {
            transform_inputs(in, first, last - first, zeros, v + first * channels, stride_x());
            transform_output_gradients(out, first, last - first, zeros, z + first * outputs, stride_y());
        });
        const std::int64_t parts = (static_cast<std::int64_t>(context.workspace_bytes / 4) - shared()) / per_part();
        for_each_part(parts, outputs / height(), [&](std::int64_t part, std::int64_t begin, std::int64_t end) {
            float* own = du + part * per_part();
            for (std::int64_t o = begin * height(); o < end * height(); o += height()) {
                for (std::int64_t p = 0; p < components; ++p)
                    multiply({z + p * stride_y() + o, 1, outputs}, v + p * stride_x(), false,
                             own + p * height() * channels, height(), channels, tiles, false);
                for (std::int64_t row = 0; row < height(); ++row)
                    transform_filter_gradients(own, 1, 0, height(), channels, row,
                                               args.dw.as<float>() + o * 9 * channels);
            }
        });
        if (!args.dbias) return;
        std::memset(args.dbias.data, 0, static_cast<std::size_t>(outputs) * 4);
        add_rows(args.dy.as<float>(), 0, args.dy.shape.elements(0, 3), outputs, args.dbias.as<float>());
    }
};

template <class Args>
std::size_t workspace_bytes(const Args& args) {
    if constexpr (requires { args.dw; })
        if (const Bands bands(args); bands.pay()) return bands.bytes(onednn::threads());
    return layout(args).bytes(onednn::threads());
}

void run(const Conv2dForward& args, KernelContext& context) { convolution(args).run(context); }
void run(const Conv2dBackwardData& args, KernelContext& context) { convolution(args).run(context); }

void run(const Conv2dBackwardWeights& args, KernelContext& context) {
    const Layout l = layout(args);
    const Shape &x = args.x.shape, &y = args.dy.shape;
    const std::int64_t c = x[3], o = y[3], down = tiles_over(y[1]), across = tiles_over(y[2]);
    const std::int64_t tiles = y[0] * down * across, parts = l.parts(context.workspace_bytes);
    const Tiles in{args.x.as<float>(), x[1], x[2], c, -args.params.padding[0], -args.params.padding[2], down, across};
    const Tiles out{args.dy.as<float>(), y[1], y[2], o, 0, 0, down, across};
    if (const Bands bands(args); bands.pay()) return bands.run(in, out, args, context);
    float* workspace = static_cast<float*>(context.workspace);
    const std::int64_t block = std::min(l.block, (tiles + parts - 1) / parts), blocks = (tiles + block - 1) / block;
    const std::int64_t rows = y.elements(0, 3);
    // A part: dU, the sums of the bias, the blocks V and Z, and zeros for what lies beyond the picture.
    for_each_part(parts, blocks, [&](std::int64_t part, std::int64_t begin, std::int64_t end) {
        float* du = workspace + part * l.per_part;
        float* dbias = du + components * c * o;
        float* v = dbias + o;
        float* z = v + components * l.stride_x;
        float* zeros = z + components * l.stride_y;
        std::memset(zeros, 0, static_cast<std::size_t>(l.spare) * 4);
        if (begin == end) std::memset(du, 0, static_cast<std::size_t>(components * c * o) * 4);
        for (std::int64_t b = begin; b < end; ++b) {
            const std::int64_t first = b * block, count = std::min(block, tiles - first);
            transform_inputs(in, first, count, zeros, v, l.stride_x);
            transform_output_gradients(out, first, count, zeros, z, l.stride_y);
            for (std::int64_t p = 0; p < components; ++p)
                multiply({z + p * l.stride_y, 1, o}, v + p * l.stride_x, false, du + p * c * o, o, c, count, b > begin);
        }
        std::memset(dbias, 0, static_cast<std::size_t>(o) * 4);
        if (args.dbias) add_rows(args.dy.as<float>(), rows * part / parts, rows * (part + 1) / parts, o, dbias);
    });
    parallel_for(o, std::max<std::int64_t>(1, 1024 / c), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row)
            transform_filter_gradients(workspace, parts, l.per_part, o, c, row, args.dw.as<float>());
    });
    if (!args.dbias) return;
    std::memset(args.dbias.data, 0, static_cast<std::size_t>(o) * 4);
    for (std::int64_t part = 0; part < parts; ++part)
        add_rows(workspace + part * l.per_part + components * c * o, 0, 1, o, args.dbias.as<float>());
}

template <class Args>
Support supports(const Args& args) {
    const Conv2dParams& params = args.params;
    const auto [x, w, y] = [&] {
        if constexpr (requires { args.dx; })
            return std::tuple(args.dx, args.w, args.dy);
        else if constexpr (requires { args.dw; })
            return std::tuple(args.x, args.dw, args.dy);
        else
            return std::tuple(args.x, args.w, args.y);
    }();
    using Pair = std::array<std::int64_t, 2>;
    if (const Support support = only_f32(x.dtype); !support) return support;
    if (x.elements() == 0 || y.elements() == 0) return Support::no("an empty tensor");
    if (w.shape[1] != 3 || w.shape[2] != 3) return Support::no("a kernel other than 3x3");
    if (params.stride != Pair{1, 1} || params.dilation != Pair{1, 1}) return Support::no("stride or dilation");
    if (params.groups != 1) return Support::no("groups");
    if (x.shape[3] % lanes != 0 || y.shape[3] % lanes != 0) return Support::no("channels that are no multiple of 16");
    // Against the direct convolution on one core of a Xeon with 2 MB of second-level cache: 1.0 times as fast for 16 x
    // 16 channels, 1.3 to 1.6 for 32 x 32, 1.8 for 64 x 64, 1.6 for 128 x 128; of a Zen 4 with 1 MB:
    // 1.2 to 1.3 (weight gradient: 1.07), 1.6 to 1.8, 2.0 to 2.3, 2.3 to 2.7. For 256 x 256 it equals `cpu_winograd`
    // with a fifth of the workspace. For 512 x 512 the matrices U fit no cache, and `cpu_winograd` is 1.2 times as
    // fast; but not the weight gradient, which goes by bands: as fast, with 19 MB where `cpu_winograd` takes 145.
    // By AVX2, on two cores of a Zen 3, 3 x 3 taps: 16 x 16 1.3 (weights: 2.2), 32 x 32 1.8 to 2.0 (2.9), 64 x 64 2.4
    // to 3.2 (3.9 to 4.9), 256 x 256 2.0 to 3.1 (3.1), 512 x 512 1.7 to 2.8 (1.9 to 2.7); there is no `cpu_winograd`
    // there.
    constexpr bool weights = requires { args.dw; };
    const std::int64_t most = weights || !has_wide_vectors() ? 512 * 512 : 256 * 256;
    if (x.shape[3] * y.shape[3] > most) return Support::no("too many channels to pay");
    if (!has_vectors()) return Support::no("a processor without AVX2");
    constexpr bool turned = requires { args.dx; };
    return pays(turned ? x.shape : y.shape, x.shape[3] * y.shape[3], weights);
}

template <class Args>
void add(KernelTable<Args>& table) {
    table.add({.name = "cpu_winograd_nhwc",
               .priority = priority::fast + 5,
               .supports = supports<Args>,
               .workspace_bytes = workspace_bytes<Args>,
               .run = run});
}

}  // namespace

void add_cpu_winograd_nhwc(KernelTable<Conv2dForward>& table) { add(table); }
void add_cpu_winograd_nhwc(KernelTable<Conv2dBackwardData>& table) { add(table); }
void add_cpu_winograd_nhwc(KernelTable<Conv2dBackwardWeights>& table) { add(table); }

}  // namespace heddle::kernels
