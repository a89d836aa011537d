#include "kernels/native_registry.h"
#include "kernels/simt/native.h"
#include "kernels/softmax/softmax.h"

// A row belongs to a warp while it is short, to a block where it is long. Short rows stay in registers, so that memory
// is read once and written once: the floor is (reads + writes of the operation) * elements * size.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int warps_per_block = 4;
constexpr int block_threads = 256;
constexpr int longest_in_registers = 1024;  // elements of a row, 32 a lane

/// The sums over a row that the results are made of; a warp's version and a block's version.
struct OfWarp {
    template <class T, class Op>
    __device__ static T reduce(T value, Op op, T) {
        return warp_reduce(value, op);
    }
};
struct OfBlock {
    template <class T, class Op>
    __device__ static T reduce(T value, Op op, T identity) {
        return block_reduce(value, op, identity);
    }
};

template <class T, bool log, int per_lane>
__global__ void softmax_short_rows(const T* x, T* y, std::int64_t rows, int classes) {
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * warps_per_block + threadIdx.y;
    if (row >= rows) return;  // whole warps: the kernel has no block-wide barrier
    x += row * classes;
    y += row * classes;
    float value[per_lane];
    float largest = -INFINITY;
    HEDDLE_UNROLL
    for (int i = 0; i < per_lane; ++i) {
        const int c = static_cast<int>(threadIdx.x) + i * warp_size;
        value[i] = c < classes ? to_f32(x[c]) : -INFINITY;
        largest = Max{}(largest, value[i]);
    }
    largest = warp_reduce(largest, Max{});
    float sum = 0;
    HEDDLE_UNROLL
    for (int i = 0; i < per_lane; ++i) {
        const int c = static_cast<int>(threadIdx.x) + i * warp_size;
        const float power = c < classes ? expf(value[i] - largest) : 0.0f;
        if constexpr (!log) value[i] = power;
        sum += power;
    }
    sum = warp_reduce(sum, Sum{});
    const float scale = 1.0f / sum, shift = largest + logf(sum);
    HEDDLE_UNROLL
    for (int i = 0; i < per_lane; ++i) {
        const int c = static_cast<int>(threadIdx.x) + i * warp_size;
        if (c < classes) y[c] = from_f32<T>(log ? value[i] - shift : value[i] * scale);
    }
}

template <class T, bool log>
__global__ void softmax_long_rows(const T* x, T* y, std::int64_t classes) {
    x += blockIdx.x * classes;
    y += blockIdx.x * classes;
    float largest = -INFINITY;
    for (std::int64_t c = threadIdx.x; c < classes; c += block_threads) largest = Max{}(largest, to_f32(x[c]));
    largest = block_reduce(largest, Max{}, -INFINITY);
    float sum = 0;
    for (std::int64_t c = threadIdx.x; c < classes; c += block_threads) sum += expf(to_f32(x[c]) - largest);
    sum = block_reduce(sum, Sum{}, 0.0f);
    const float scale = 1.0f / sum, shift = largest + logf(sum);
    for (std::int64_t c = threadIdx.x; c < classes; c += block_threads) {
        const float value = to_f32(x[c]);
        y[c] = from_f32<T>(log ? value - shift : expf(value - largest) * scale);
    }
}

/// One group of threads a row: a warp (threadIdx.y counts rows), or the block.
template <class T, bool log, class Group>
__global__ void softmax_backward_rows(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t classes) {
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
    if (row >= rows) return;  // whole warps; a block has exactly one row where it reduces as a block
    y += row * classes;
    dy += row * classes;
    dx += row * classes;
    float sum = 0;
    for (std::int64_t c = threadIdx.x; c < classes; c += blockDim.x)
        sum += log ? to_f32(dy[c]) : to_f32(dy[c]) * to_f32(y[c]);
    sum = Group::reduce(sum, Sum{}, 0.0f);
    for (std::int64_t c = threadIdx.x; c < classes; c += blockDim.x) {
        const float gradient = to_f32(dy[c]), value = to_f32(y[c]);
        dx[c] = from_f32<T>(log ? gradient - expf(value) * sum : value * (gradient - sum));
    }
}

template <class T, bool log>
void forward_of(const SoftmaxForward& args, KernelContext& context) {
    const std::int64_t classes = args.x.shape.back(), rows = classes > 0 ? args.x.elements() / classes : 0;
    const T* x = args.x.as<T>();
    T* y = args.y.as<T>();
    const dim3 grid(static_cast<unsigned>((rows + warps_per_block - 1) / warps_per_block));
    const dim3 block(warp_size, warps_per_block);
    const int length = static_cast<int>(classes);
    if (classes <= 32)
        launch(softmax_short_rows<T, log, 1>, grid, block, 0, context, x, y, rows, length);
    else if (classes <= 128)
        launch(softmax_short_rows<T, log, 4>, grid, block, 0, context, x, y, rows, length);
    else if (classes <= longest_in_registers)
        launch(softmax_short_rows<T, log, 32>, grid, block, 0, context, x, y, rows, length);
    else
        launch(softmax_long_rows<T, log>, dim3(static_cast<unsigned>(rows)), dim3(block_threads), 0, context, x, y,
               classes);
}

template <class T, bool log>
void backward_of(const SoftmaxBackward& args, KernelContext& context) {
    const std::int64_t classes = args.y.shape.back(), rows = classes > 0 ? args.y.elements() / classes : 0;
    const T *y = args.y.as<T>(), *dy = args.dy.as<T>();
    T* dx = args.dx.as<T>();
    if (classes <= longest_in_registers)
        launch(softmax_backward_rows<T, log, OfWarp>,
               dim3(static_cast<unsigned>((rows + warps_per_block - 1) / warps_per_block)),
               dim3(warp_size, warps_per_block), 0, context, y, dy, dx, rows, classes);
    else
        launch(softmax_backward_rows<T, log, OfBlock>, dim3(static_cast<unsigned>(rows)), dim3(block_threads), 0,
               context, y, dy, dx, rows, classes);
}

}  // namespace

void register_softmax() {
    softmax_forward().add({.name = "native",
                           .device = backend,
                           .priority = priority::plain,
                           .supports = [](const SoftmaxForward& args) { return floating(args.x.dtype); },
                           .run =
                               [](const SoftmaxForward& args, KernelContext& context) {
                                   with_floating(args.x.dtype, [&](auto zero) {
                                       using T = decltype(zero);
                                       args.log ? forward_of<T, true>(args, context)
                                                : forward_of<T, false>(args, context);
                                   });
                               }});
    softmax_backward().add({.name = "native",
                            .device = backend,
                            .priority = priority::plain,
                            .supports = [](const SoftmaxBackward& args) { return floating(args.y.dtype); },
                            .run =
                                [](const SoftmaxBackward& args, KernelContext& context) {
                                    with_floating(args.y.dtype, [&](auto zero) {
                                        using T = decltype(zero);
                                        args.log ? backward_of<T, true>(args, context)
                                                 : backward_of<T, false>(args, context);
                                    });
                                }});
}

HEDDLE_KERNELS_END
