#include "kernels/native_registry.h"
#include "kernels/pool/native_winner.h"

HEDDLE_KERNELS_BEGIN
namespace {

/// index: absent, or one of the two. Floor: x read once where windows do not overlap; y and index written.
template <class T, int width>
__global__ void __launch_bounds__(pool_threads)
    max_pool_forward(const T* x, T* y, PoolIndex index, PoolExtents e, Divisor by_height, Divisor by_width, int outputs,
                     bool relu) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    Best best[width];
    if (!best_of_window<width>(x, i, outputs, e, by_height, by_width, Ascending{}, best)) return;
    Vector<T, width> result;
    HEDDLE_UNROLL
    for (int c = 0; c < width; ++c) result[c] = from_f32<T>(relu && best[c].value < 0 ? 0 : best[c].value);
    const std::int64_t to = static_cast<std::int64_t>(i) * width;
    store_vector(y + to, result);
    index.store(to, best);
}

/// Floor: dy and index read once where windows do not overlap, dx written. y: null without ReLU.
template <class T, class Index, int width>
__global__ void __launch_bounds__(pool_threads)
    max_pool_backward(const T* dy, const T* y, const Index* index, T* dx, PoolExtents e, Divisor by_height,
                      Divisor by_width, int inputs) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= inputs) return;
    const Vector<float, width> sums = collect<width>(dy, y, index, PoolPlace(i, e, by_height, by_width), e);
    Vector<T, width> result;
    HEDDLE_UNROLL
    for (int c = 0; c < width; ++c) result[c] = from_f32<T>(sums[c]);
    store_vector(dx + static_cast<std::int64_t>(i) * width, result);
}

template <class T, int width>
void forward_of(const MaxPool2dForward& args, KernelContext& context) {
    const PoolExtents e(args.x.shape, args.y.shape, args.params, width);
    if (e.outputs() == 0) return;
    const auto parts = static_cast<unsigned>(parts_for(e)), lanes = pool_threads / parts;
    launch(max_pool_forward<T, width>, dim3(static_cast<unsigned>((e.outputs() + lanes - 1) / lanes)),
           dim3(lanes, parts), 0, context, args.x.as<const T>(), args.y.as<T>(), PoolIndex(args.index), e,
           Divisor(e.vertical.outputs), Divisor(e.horizontal.outputs), static_cast<int>(e.outputs()),
           args.activation == FusedActivation::relu);
}

template <class T, class Index, int width>
void backward_of(const MaxPool2dBackward& args, KernelContext& context) {
    const PoolExtents e(args.dx.shape, args.dy.shape, args.params, width);
    if (e.inputs() == 0) return;
    launch(max_pool_backward<T, Index, width>,
           dim3(static_cast<unsigned>((e.inputs() + pool_threads - 1) / pool_threads)), dim3(pool_threads), 0, context,
           args.dy.as<const T>(), args.activation == FusedActivation::relu ? args.y.as<const T>() : nullptr,
           args.index.as<const Index>(), args.dx.as<T>(), e, Divisor(e.vertical.extent), Divisor(e.horizontal.extent),
           static_cast<int>(e.inputs()));
}

void run_forward(const MaxPool2dForward& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const bool vectors = pool_width<T>(args.x.shape[3], args.x.data, args.y.data, args.index.data) > 1;
        vectors ? forward_of<T, vector_width<T>>(args, context) : forward_of<T, 1>(args, context);
    });
}

template <class T, class Index>
void run_backward_of(const MaxPool2dBackward& args, KernelContext& context) {
    const bool aligned = is_aligned(args.y.data);
    const bool vectors = aligned && pool_width<T>(args.dx.shape[3], args.dy.data, args.dx.data, args.index.data) > 1;
    vectors ? backward_of<T, Index, vector_width<T>>(args, context) : backward_of<T, Index, 1>(args, context);
}

void run_backward(const MaxPool2dBackward& args, KernelContext& context) {
    with_floating(args.dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        args.index.dtype == DType::u8 ? run_backward_of<T, std::uint8_t>(args, context)
                                      : run_backward_of<T, std::int32_t>(args, context);
    });
}

}  // namespace

void register_max_pool() {
    max_pool2d_forward().add({.name = "native",
                              .device = backend,
                              .priority = priority::plain,
                              .supports = [](const MaxPool2dForward& args) { return supports_pool(args.x, args.y); },
                              .run = run_forward});
    max_pool2d_backward().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports = [](const MaxPool2dBackward& args) { return supports_pool(args.dx, args.dy); },
         .run = run_backward});
}

HEDDLE_KERNELS_END
