#include <algorithm>

#include "kernels/conv/native_conv.h"
#include "kernels/matmul/column_sums.h"
#include "kernels/matmul/tile_output.h"

// Depthwise convolution: a group has one channel, so this is no matrix product, and memory is the limit. A thread has
// `width` neighbouring channels; those of a warp are contiguous.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int block_threads = 256;

struct Depthwise {
    GatherAxis vertical, horizontal;  // as the forward pass reads x
    int channels, multiplier, taps;
    int out_pixels, pixels;
    Divisor by_picture, by_width;        // of y's pixels
    Divisor by_in_picture, by_in_width;  // of x's
    Divisor by_taps, by_taps_w, by_multiplier, by_stride_h, by_stride_w;

    Depthwise(const ConvExtents& e, const Conv2dParams& params) {
        const GatherSource<float> windows = gather_windows<float>(nullptr, e, params);
        const auto divisor = [](std::int64_t extent) {
            return Divisor(static_cast<int>(std::max<std::int64_t>(extent, 1)));
        };
        vertical = windows.vertical;
        horizontal = windows.horizontal;
        channels = static_cast<int>(e.channels);
        multiplier = static_cast<int>(e.group_outputs);
        taps = static_cast<int>(e.taps());
        out_pixels = static_cast<int>(e.out_pixels());
        pixels = static_cast<int>(e.pixels());
        by_picture = windows.by_picture;
        by_width = windows.by_width;
        by_in_picture = divisor(e.height * e.width);
        by_in_width = divisor(e.width);
        by_taps = divisor(e.taps());
        by_taps_w = windows.by_taps;
        by_multiplier = divisor(e.group_outputs);
        by_stride_h = divisor(params.stride[0]);
        by_stride_w = divisor(params.stride[1]);
    }
};

/// The filters of `count` outputs from `first` as [taps, count] floats in shared memory. Ends without a barrier.
template <class T>
__device__ void load_filters(float* filters, const T* w, const Depthwise& conv, int first, int count) {
    const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
    const int outputs = conv.channels * conv.multiplier;
    for (int i = thread; i < count * conv.taps; i += block_threads) {
        int tap;
        const int output = conv.by_taps.divide(i, tap);
        filters[tap * count + output] =
            first + output < outputs ? to_f32(w[static_cast<std::int64_t>(first) * conv.taps + i]) : 0.0f;
    }
}

/// Floor: x and the residual read and y written once (the taps of neighbouring pixels come from the caches). width > 1
/// only where the multiplier is 1.
template <class T, int width>
__global__ void __launch_bounds__(block_threads)
    depthwise_forward(const T* x, const T* w, const T* bias, const T* residual, T* y, Depthwise conv, bool relu) {
    HEDDLE_SHARED_DYNAMIC(float, filters);
    const int count = static_cast<int>(blockDim.x) * width, outputs = conv.channels * conv.multiplier;
    const int first = static_cast<int>(blockIdx.x) * count, place = static_cast<int>(threadIdx.x) * width;
    const int output = first + place;
    load_filters(filters, w, conv, first, count);
    __syncthreads();
    if (output >= outputs) return;
    const int channel = width > 1 ? output : conv.by_multiplier.divide(output);
    Vector<float, width> start{};
    if (bias) {
        HEDDLE_UNROLL
        for (int e = 0; e < width; ++e) start[e] = to_f32(bias[output + e]);
    }
    for (int pixel = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y); pixel < conv.out_pixels;
         pixel += static_cast<int>(gridDim.y * blockDim.y)) {
        int position, ow;
        const int picture = conv.by_picture.divide(pixel, position), oh = conv.by_width.divide(position, ow);
        const int top = oh * conv.vertical.stride + conv.vertical.start;
        const int left = ow * conv.horizontal.stride + conv.horizontal.start;
        Vector<float, width> sums{};
        for (int i = 0, tap = 0; i < conv.vertical.taps; ++i) {
            const int h = top + i * conv.vertical.dilation;
            if (h < 0 || h >= conv.vertical.extent) {
                tap += conv.horizontal.taps;
                continue;
            }
            for (int j = 0; j < conv.horizontal.taps; ++j, ++tap) {
                const int v = left + j * conv.horizontal.dilation;
                if (v < 0 || v >= conv.horizontal.extent) continue;
                const std::int64_t from = (picture * conv.vertical.extent + h) * conv.horizontal.extent + v;
                const auto value = load_vector<width>(x + from * conv.channels + channel);
                const auto factor = load_vector<width>(filters + tap * count + place);
                HEDDLE_UNROLL
                for (int e = 0; e < width; ++e) sums[e] += to_f32(value[e]) * factor[e];
            }
        }
        const std::int64_t to = static_cast<std::int64_t>(pixel) * outputs + output;
        Vector<T, width> other{}, result;
        if (residual) other = load_vector<width>(residual + to);
        HEDDLE_UNROLL
        for (int e = 0; e < width; ++e) {
            float value = sums[e] + start[e];
            if (residual) value += to_f32(other[e]);
            result[e] = from_f32<T>(relu && value < 0 ? 0 : value);
        }
        store_vector(y + to, result);
    }
}

/// Floor: dy read and dx written once.
template <class T, int width>
__global__ void __launch_bounds__(block_threads)
    depthwise_backward_data(const T* w, const T* dy, T* dx, Depthwise conv) {
    HEDDLE_SHARED_DYNAMIC(float, filters);
    const int multiplier = width > 1 ? 1 : conv.multiplier;
    const int lanes = static_cast<int>(blockDim.x) * width, count = lanes * multiplier;
    const int first = static_cast<int>(blockIdx.x) * lanes, place = static_cast<int>(threadIdx.x) * width;
    const int channel = first + place, outputs = conv.channels * multiplier;
    load_filters(filters, w, conv, first * multiplier, count);
    __syncthreads();
    if (channel >= conv.channels) return;
    for (int pixel = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y); pixel < conv.pixels;
         pixel += static_cast<int>(gridDim.y * blockDim.y)) {
        int position, column;
        const int picture = conv.by_in_picture.divide(pixel, position), row = conv.by_in_width.divide(position, column);
        Vector<float, width> sums{};
        for (int i = 0, tap = 0; i < conv.vertical.taps; ++i) {
            const int down = row - conv.vertical.start - i * conv.vertical.dilation;
            int rest = 0;
            const int oh = down < 0 ? -1 : conv.by_stride_h.divide(down, rest);
            if (oh < 0 || rest != 0 || oh >= conv.vertical.positions) {
                tap += conv.horizontal.taps;
                continue;
            }
            for (int j = 0; j < conv.horizontal.taps; ++j, ++tap) {
                const int across = column - conv.horizontal.start - j * conv.horizontal.dilation;
                const int ow = across < 0 ? -1 : conv.by_stride_w.divide(across, rest);
                if (ow < 0 || rest != 0 || ow >= conv.horizontal.positions) continue;
                const std::int64_t from = (picture * conv.vertical.positions + oh) * conv.horizontal.positions + ow;
                for (int m = 0; m < multiplier; ++m) {
                    const auto value = load_vector<width>(dy + from * outputs + channel * multiplier + m);
                    const auto factor = load_vector<width>(filters + tap * count + place * multiplier + m);
                    HEDDLE_UNROLL
                    for (int e = 0; e < width; ++e) sums[e] += to_f32(value[e]) * factor[e];
                }
            }
        }
        Vector<T, width> result;
        HEDDLE_UNROLL
        for (int e = 0; e < width; ++e) result[e] = from_f32<T>(sums[e]);
        store_vector(dx + static_cast<std::int64_t>(pixel) * conv.channels + channel, result);
    }
}

constexpr int taps_each = 9;  // of a block: 3 x 3 reads dy once

/// partial: [chunk][output][tap]. Floor: x and dy read once for every nine taps.
template <class T, int width>
__global__ void __launch_bounds__(block_threads)
    depthwise_backward_weights(const T* x, const T* dy, float* partial, Depthwise conv, int chunk_pixels) {
    HEDDLE_SHARED(float, shared, [block_threads * width]);
    const int outputs = conv.channels * conv.multiplier, first_tap = static_cast<int>(blockIdx.y) * taps_each;
    const int output = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * width;
    const int channel = width > 1 ? output : conv.by_multiplier.divide(output);
    const int first = static_cast<int>(blockIdx.z) * chunk_pixels;
    const int last = conv.out_pixels - first < chunk_pixels ? conv.out_pixels : first + chunk_pixels;
    int down[taps_each], across[taps_each];  // steps of the taps
    HEDDLE_UNROLL
    for (int t = 0; t < taps_each; ++t) {
        const int i = conv.by_taps_w.divide(first_tap + t, across[t]);
        down[t] = first_tap + t < conv.taps ? i * conv.vertical.dilation : -(1 << 30);  // not a tap: outside
        across[t] *= conv.horizontal.dilation;
    }
    Vector<float, width> sums[taps_each] = {};
    if (output < outputs)
        for (int pixel = first + static_cast<int>(threadIdx.y); pixel < last; pixel += static_cast<int>(blockDim.y)) {
            int position, ow;
            const int picture = conv.by_picture.divide(pixel, position), oh = conv.by_width.divide(position, ow);
            const int top = oh * conv.vertical.stride + conv.vertical.start;
            const int left = ow * conv.horizontal.stride + conv.horizontal.start;
            const auto gradient = load_vector<width>(dy + static_cast<std::int64_t>(pixel) * outputs + output);
            HEDDLE_UNROLL
            for (int t = 0; t < taps_each; ++t) {
                const int h = top + down[t], v = left + across[t];
                if (h < 0 || h >= conv.vertical.extent || v < 0 || v >= conv.horizontal.extent) continue;
                const std::int64_t from = (picture * conv.vertical.extent + h) * conv.horizontal.extent + v;
                const auto value = load_vector<width>(x + from * conv.channels + channel);
                HEDDLE_UNROLL
                for (int e = 0; e < width; ++e) sums[t][e] += to_f32(value[e]) * to_f32(gradient[e]);
            }
        }
    HEDDLE_UNROLL
    for (int t = 0; t < taps_each; ++t) {
        if (first_tap + t >= conv.taps) continue;  // the same for the whole block
        sum_down(sums[t], shared);
        if (threadIdx.y > 0 || output >= outputs) continue;
        HEDDLE_UNROLL
        for (int e = 0; e < width; ++e)
            partial[(static_cast<std::int64_t>(blockIdx.z) * outputs + output + e) * conv.taps + first_tap + t] =
                sums[t][e];
    }
}

/// Threads side by side, a power of two, for `count` channels; fewer where their filters would take too much room.
int lanes_for(std::int64_t count, std::int64_t filter_bytes) {
    int lanes = 1;
    while (lanes < count && lanes < warp_size) lanes *= 2;
    while (lanes > 1 && lanes * filter_bytes > 32 * 1024) lanes /= 2;
    return lanes;
}

/// Channels a thread: 16 bytes where that is aligned.
template <class T>
int width_for(const Depthwise& conv, const void* a, const void* b) {
    return conv.multiplier == 1 && conv.channels % vector_width<T> == 0 && is_aligned(a) && is_aligned(b)
               ? vector_width<T>
               : 1;
}

/// Pixels in `y`, channels in `x`.
struct DepthwiseLaunch {
    dim3 grid, block;
    std::size_t shared_bytes;

    DepthwiseLaunch(const Depthwise& conv, std::int64_t channels, std::int64_t filters, int width,
                    std::int64_t pixels) {
        const std::int64_t filter_bytes = static_cast<std::int64_t>(sizeof(float)) * conv.taps * width * filters;
        const std::int64_t vectors = channels / width;
        const int lanes = lanes_for(vectors, filter_bytes), rows = block_threads / lanes;
        grid = dim3(static_cast<unsigned>((vectors + lanes - 1) / lanes), blocks_for(pixels, rows * 4));
        block = dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(rows));
        shared_bytes = static_cast<std::size_t>(lanes * filter_bytes);
    }
};

struct WeightsPlan {
    int width, lanes, chunk_pixels;
    std::int64_t chunks, tap_groups, channel_groups;

    WeightsPlan(const Depthwise& conv, int vector) : width(vector) {
        const std::int64_t vectors = static_cast<std::int64_t>(conv.channels) * conv.multiplier / width;
        lanes = lanes_for(vectors, 0);
        channel_groups = (vectors + lanes - 1) / lanes;
        tap_groups = (conv.taps + taps_each - 1) / taps_each;
        const int rows = block_threads / lanes;
        const std::int64_t wanted =
            std::clamp<std::int64_t>(4 * 132 / std::max<std::int64_t>(1, channel_groups * tap_groups), 1, 512);
        chunk_pixels = static_cast<int>(std::max<std::int64_t>((conv.out_pixels + wanted - 1) / wanted, 8 * rows));
        chunks = (conv.out_pixels + chunk_pixels - 1) / chunk_pixels;
    }
};

template <class T>
WeightsPlan weights_plan(const Depthwise& conv, const Conv2dBackwardWeights& args) {
    return {conv, width_for<T>(conv, args.x.data, args.dy.data)};
}

}  // namespace

void run_depthwise(const Conv2dForward& args, KernelContext& context) {
    const ConvExtents e(args);
    const Depthwise conv(e, args.params);
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const int width = is_aligned(args.residual.data) ? width_for<T>(conv, args.x.data, args.y.data) : 1;
        const DepthwiseLaunch shape(conv, e.outputs, 1, width, e.out_pixels());
        launch(width == 1 ? depthwise_forward<T, 1> : depthwise_forward<T, vector_width<T>>, shape.grid, shape.block,
               shape.shared_bytes, context, args.x.as<const T>(), args.w.as<const T>(), args.bias.as<const T>(),
               args.residual.as<const T>(), args.y.as<T>(), conv, args.activation == FusedActivation::relu);
    });
}

void run_depthwise(const Conv2dBackwardData& args, KernelContext& context) {
    const ConvExtents e(args);
    const Depthwise conv(e, args.params);
    with_floating(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        const int width = width_for<T>(conv, args.dy.data, args.dx.data);
        const DepthwiseLaunch shape(conv, e.channels, e.group_outputs, width, e.pixels());
        launch(width == 1 ? depthwise_backward_data<T, 1> : depthwise_backward_data<T, vector_width<T>>, shape.grid,
               shape.block, shape.shared_bytes, context, args.w.as<const T>(), args.dy.as<const T>(), args.dx.as<T>(),
               conv);
    });
}

std::size_t depthwise_workspace(const Conv2dBackwardWeights& args) {
    const Depthwise conv(ConvExtents(args), args.params);
    std::int64_t chunks = 0;
    with_floating(args.x.dtype, [&](auto zero) { chunks = weights_plan<decltype(zero)>(conv, args).chunks; });
    return static_cast<std::size_t>(chunks * args.dw.elements()) * sizeof(float);
}

void run_depthwise(const Conv2dBackwardWeights& args, KernelContext& context) {
    const Depthwise conv(ConvExtents(args), args.params);
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const WeightsPlan plan = weights_plan<T>(conv, args);
        const dim3 grid(static_cast<unsigned>(plan.channel_groups), static_cast<unsigned>(plan.tap_groups),
                        static_cast<unsigned>(plan.chunks));
        const dim3 block(static_cast<unsigned>(plan.lanes), static_cast<unsigned>(block_threads / plan.lanes));
        auto* partial = static_cast<float*>(context.workspace);
        launch(plan.width == 1 ? depthwise_backward_weights<T, 1> : depthwise_backward_weights<T, vector_width<T>>,
               grid, block, 0, context, args.x.as<const T>(), args.dy.as<const T>(), partial, conv, plan.chunk_pixels);
        launch_add_chunks(partial, args.dw.as<T>(), plan.chunks, args.dw.elements(), context);
    });
}

HEDDLE_KERNELS_END
