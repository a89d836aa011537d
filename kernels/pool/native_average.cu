#include "kernels/native_registry.h"
#include "kernels/pool/native_window.h"

HEDDLE_KERNELS_BEGIN
namespace {

/// What the sum over a window is divided by.
__device__ float divisor_of(const PoolExtents& e, PoolAxis::Span rows, PoolAxis::Span columns, bool count_padding) {
    return count_padding
               ? static_cast<float>(e.vertical.kernel) * static_cast<float>(e.horizontal.kernel)
               : static_cast<float>(rows.last - rows.first) * static_cast<float>(columns.last - columns.first);
}

/// Floor: x read once where windows do not overlap, y written.
template <class T, int width>
__global__ void __launch_bounds__(pool_threads)
    average_pool_forward(const T* x, T* y, PoolExtents e, Divisor by_height, Divisor by_width, int outputs,
                         bool count_padding) {
    HEDDLE_SHARED(float, shared, [pool_threads * width]);
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int part = static_cast<int>(threadIdx.y), parts = static_cast<int>(blockDim.y);
    Vector<float, width> sums{};
    float divisor = 1;
    if (i < outputs) {
        const PoolPlace place(i, e, by_height, by_width);
        const PoolAxis::Span rows = e.vertical.window(place.h), columns = e.horizontal.window(place.w);
        divisor = divisor_of(e, rows, columns, count_padding);
        for_each_of_window(rows, columns, part, parts, [&](int h, int w) {
            const std::int64_t pixel =
                (static_cast<std::int64_t>(place.picture) * e.vertical.extent + h) * e.horizontal.extent + w;
            const auto value = load_vector<width>(x + (pixel * e.vectors + place.vector) * width);
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c) sums[c] += to_f32(value[c]);
        });
    }
    if (parts > 1) {
        const int lanes = static_cast<int>(blockDim.x), thread = part * lanes + static_cast<int>(threadIdx.x);
        HEDDLE_UNROLL
        for (int c = 0; c < width; ++c) shared[thread * width + c] = sums[c];
        __syncthreads();
        for (int other = thread + lanes; part == 0 && other < parts * lanes; other += lanes) {
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c) sums[c] += shared[other * width + c];
        }
    }
    if (part > 0 || i >= outputs) return;
    Vector<T, width> result;
    HEDDLE_UNROLL
    for (int c = 0; c < width; ++c) result[c] = from_f32<T>(sums[c] / divisor);
    store_vector(y + static_cast<std::int64_t>(i) * width, result);
}

/// Each element of dx collects from the windows that hold it, in their order. Floor: dy read once where windows do not
/// overlap, dx written.
template <class T, int width>
__global__ void __launch_bounds__(pool_threads)
    average_pool_backward(const T* dy, T* dx, PoolExtents e, Divisor by_height, Divisor by_width, int inputs,
                          bool count_padding) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= inputs) return;
    const PoolPlace place(i, e, by_height, by_width);
    const PoolAxis::Span rows = e.vertical.cover(place.h), columns = e.horizontal.cover(place.w);
    Vector<float, width> sums{};
    for (int oh = rows.first; oh < rows.last; ++oh)
        for (int ow = columns.first; ow < columns.last; ++ow) {
            const std::int64_t window =
                (static_cast<std::int64_t>(place.picture) * e.vertical.outputs + oh) * e.horizontal.outputs + ow;
            const float scale = 1.0f / divisor_of(e, e.vertical.window(oh), e.horizontal.window(ow), count_padding);
            const auto gradient = load_vector<width>(dy + (window * e.vectors + place.vector) * width);
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c) sums[c] += to_f32(gradient[c]) * scale;
        }
    Vector<T, width> result;
    HEDDLE_UNROLL
    for (int c = 0; c < width; ++c) result[c] = from_f32<T>(sums[c]);
    store_vector(dx + static_cast<std::int64_t>(i) * width, result);
}

template <class T, int width>
void forward_of(const AvgPool2dForward& args, KernelContext& context) {
    const PoolExtents e(args.x.shape, args.y.shape, args.params, width);
    if (e.outputs() == 0) return;
    const auto parts = static_cast<unsigned>(parts_for(e)), lanes = pool_threads / parts;
    launch(average_pool_forward<T, width>, dim3(static_cast<unsigned>((e.outputs() + lanes - 1) / lanes)),
           dim3(lanes, parts), 0, context, args.x.as<const T>(), args.y.as<T>(), e, Divisor(e.vertical.outputs),
           Divisor(e.horizontal.outputs), static_cast<int>(e.outputs()), args.count_padding);
}

template <class T, int width>
void backward_of(const AvgPool2dBackward& args, KernelContext& context) {
    const PoolExtents e(args.dx.shape, args.dy.shape, args.params, width);
    if (e.inputs() == 0) return;
    launch(average_pool_backward<T, width>, dim3(static_cast<unsigned>((e.inputs() + pool_threads - 1) / pool_threads)),
           dim3(pool_threads), 0, context, args.dy.as<const T>(), args.dx.as<T>(), e, Divisor(e.vertical.extent),
           Divisor(e.horizontal.extent), static_cast<int>(e.inputs()), args.count_padding);
}

void run_forward(const AvgPool2dForward& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const bool vectors = pool_width<T>(args.x.shape[3], args.x.data, args.y.data) > 1;
        vectors ? forward_of<T, vector_width<T>>(args, context) : forward_of<T, 1>(args, context);
    });
}

void run_backward(const AvgPool2dBackward& args, KernelContext& context) {
    with_floating(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        const bool vectors = pool_width<T>(args.dx.shape[3], args.dy.data, args.dx.data) > 1;
        vectors ? backward_of<T, vector_width<T>>(args, context) : backward_of<T, 1>(args, context);
    });
}

}  // namespace

void register_average_pool() {
    avg_pool2d_forward().add({.name = "native",
                              .device = backend,
                              .priority = priority::plain,
                              .supports = [](const AvgPool2dForward& args) { return supports_pool(args.x, args.y); },
                              .run = run_forward});
    avg_pool2d_backward().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const AvgPool2dBackward& args) { return supports_pool(args.dx, args.dy); },
         .run = run_backward});
}

HEDDLE_KERNELS_END
