// The same convolution in CUDA, in the vocabulary of kernels/simt: nvcc makes it for GPUs, the host's compiler for the
// simulator (direct3x3_sim.cpp), where every barrier and every address is checked without a GPU.
//
// A block computes 8 x 8 pixels of 8 outputs. For 8 channels at a time it loads the pixels that its taps read (10 x 10)
// and its filters into shared memory, as f32, and each thread adds the products of its pixel. So x is read about 100 /
// 64 times for every 8 outputs instead of 9 times for each.
#include <heddle/core/plugin.h>
#include <heddle/kernels/conv/conv.h>
#include <heddle/kernels/simt/native.h>

#include <cstdint>
#include <string>

HEDDLE_KERNELS_BEGIN
namespace {

constexpr int tile = 8, around = tile + 2, depth = 8, block_outputs = 8, threads = tile * tile;

/// What the kernel gets: by value, no references.
template <class T>
struct Direct {
    const T *x, *w, *bias;
    T* y;
    int height, width, channels;
    int out_height, out_width, outputs;
    int top, left;
    int tiles_down, tiles_across;
    bool relu;
};

template <class T>
__global__ void __launch_bounds__(threads) direct3x3(const Direct<T> d) {
    HEDDLE_SHARED(float, pixels, [around][around][depth]);
    HEDDLE_SHARED(float, filters, [9][depth][block_outputs]);
    const int across = static_cast<int>(blockIdx.x) % d.tiles_across,
              down = static_cast<int>(blockIdx.x) / d.tiles_across % d.tiles_down;
    const std::int64_t n = static_cast<int>(blockIdx.x) / d.tiles_across / d.tiles_down;
    const int first_output = static_cast<int>(blockIdx.y) * block_outputs;
    const int row = static_cast<int>(threadIdx.y), column = static_cast<int>(threadIdx.x), thread = row * tile + column;
    const T* picture = d.x + n * d.height * d.width * d.channels;

    float sum[block_outputs] = {};
    for (int first = 0; first < d.channels; first += depth) {
        for (int i = thread; i < around * around * depth; i += threads) {
            const int c = i % depth, v = i / depth % around, h = i / depth / around;
            const int from_h = down * tile + h - d.top, from_v = across * tile + v - d.left;
            const bool inside =
                from_h >= 0 && from_h < d.height && from_v >= 0 && from_v < d.width && first + c < d.channels;
            pixels[h][v][c] = inside ? to_f32(picture[(from_h * d.width + from_v) * d.channels + first + c]) : 0.0f;
        }
        for (int i = thread; i < 9 * depth * block_outputs; i += threads) {
            const int c = i % depth, tap = i / depth % 9, o = i / depth / 9;
            const bool inside = first + c < d.channels && first_output + o < d.outputs;
            filters[tap][c][o] = inside ? to_f32(d.w[((first_output + o) * 9 + tap) * d.channels + first + c]) : 0.0f;
        }
        __syncthreads();  // all of the piece is there
        for (int tap = 0; tap < 9; ++tap)
            for (int c = 0; c < depth; ++c) {
                const float value = pixels[row + tap / 3][column + tap % 3][c];
                HEDDLE_UNROLL
                for (int o = 0; o < block_outputs; ++o) sum[o] += value * filters[tap][c][o];
            }
        __syncthreads();  // nobody reads it any more
    }

    const int to_h = down * tile + row, to_v = across * tile + column;
    if (to_h >= d.out_height || to_v >= d.out_width) return;
    T* to = d.y + ((n * d.out_height + to_h) * d.out_width + to_v) * d.outputs + first_output;
    HEDDLE_UNROLL
    for (int o = 0; o < block_outputs; ++o) {
        if (first_output + o >= d.outputs) break;
        const float value = sum[o] + (d.bias ? to_f32(d.bias[first_output + o]) : 0.0f);
        to[o] = from_f32<T>(d.relu && value < 0 ? 0.0f : value);
    }
}

Support supports(const Conv2dForward& args) {
    const auto& params = args.params;
    if (const Support dtype = floating(args.x.dtype); !dtype) return dtype;
    if (args.w.shape[1] != 3 || args.w.shape[2] != 3) return Support::no("a kernel that is not 3x3");
    if (params.stride[0] != 1 || params.stride[1] != 1) return Support::no("a stride other than 1");
    if (params.dilation[0] != 1 || params.dilation[1] != 1) return Support::no("dilation");
    if (params.groups != 1) return Support::no("groups");
    if (args.residual) return Support::no("a residual");
    constexpr std::int64_t limit =
        1 << 30;  // a picture and the filters are indexed by int; the grid has its limits, too
    if (args.x.shape.elements(1, 4) > limit || args.w.elements() > limit || args.y.shape.elements(0, 3) > limit ||
        args.y.shape[3] > 65535 * block_outputs)
        return Support::no("more than 2^30 elements in a picture");
    return Support::yes();
}

template <class T>
void run_as(const Conv2dForward& args, KernelContext& context) {
    const auto whole = [](std::int64_t extent) { return static_cast<int>(extent); };
    const Shape &x = args.x.shape, &y = args.y.shape;
    const int tiles_down = whole((y[1] + tile - 1) / tile), tiles_across = whole((y[2] + tile - 1) / tile);
    const dim3 grid(static_cast<unsigned>(y[0] * tiles_down * tiles_across),
                    static_cast<unsigned>((y[3] + block_outputs - 1) / block_outputs));
    launch(direct3x3<T>, grid, dim3(tile, tile), 0, context,
           Direct<T>{.x = args.x.as<const T>(),
                     .w = args.w.as<const T>(),
                     .bias = args.bias.as<const T>(),
                     .y = args.y.as<T>(),
                     .height = whole(x[1]),
                     .width = whole(x[2]),
                     .channels = whole(x[3]),
                     .out_height = whole(y[1]),
                     .out_width = whole(y[2]),
                     .outputs = whole(y[3]),
                     .top = whole(args.params.padding[0]),
                     .left = whole(args.params.padding[2]),
                     .tiles_down = tiles_down,
                     .tiles_across = tiles_across,
                     .relu = args.activation == FusedActivation::relu});
}

void run(const Conv2dForward& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) { run_as<decltype(zero)>(args, context); });
}

void register_kernels() {
    conv2d_forward().add({.name = "direct3x3",
                          .device = backend,  // sim or cuda
                          .priority = priority::reference + 1,
                          .supports = supports,
                          .run = run});
}

constexpr Plugin plugin{.name = backend == DeviceKind::sim ? "direct3x3_sim" : "direct3x3_cuda",
                        .register_kernels = register_kernels};

}  // namespace
HEDDLE_KERNELS_END

extern "C" HEDDLE_API const heddle::Plugin* heddle_plugin() {
    using namespace heddle::kernels;
#if defined(__CUDACC__)
    return &cuda::plugin;
#else
    return &sim::plugin;
#endif
}
