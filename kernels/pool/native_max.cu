#include "kernels/native_registry.h"
#include "kernels/pool/native_window.h"

HEDDLE_KERNELS_BEGIN
namespace {

/// The best element of a window so far, and where it stood.
struct Best {
    static constexpr int none = std::numeric_limits<int>::max();
    float value;
    int position;

    /// Elements come in their order: a later one wins where it is larger or the first NaN.
    __device__ void challenge(float later, int at) {
        if (position == none || (!(later <= value) && value == value)) {
            value = later;
            position = at;
        }
    }
    /// Joins what two threads found.
    __device__ void join(const Best& other) {
        const bool nan = value != value, other_nan = other.value != other.value;
        const bool same = nan ? other_nan : value == other.value;
        if (same ? other.position < position : !nan && (other_nan || other.value > value)) *this = other;
    }
};

/// index8, index32: one of them, or neither. Floor: x read once where windows do not overlap; y and index written.
template <class T, int width>
__global__ void __launch_bounds__(pool_threads)
    max_pool_forward(const T* x, T* y, std::uint8_t* index8, std::int32_t* index32, PoolExtents e, Divisor by_height,
                     Divisor by_width, int outputs, bool relu) {
    HEDDLE_SHARED(float, values, [pool_threads * width]);
    HEDDLE_SHARED(int, positions, [pool_threads * width]);
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int part = static_cast<int>(threadIdx.y), parts = static_cast<int>(blockDim.y);
    Best best[width];
    HEDDLE_UNROLL
    for (int c = 0; c < width; ++c) best[c] = {-INFINITY, Best::none};
    if (i < outputs) {
        const PoolPlace place(i, e, by_height, by_width);
        const int top = place.h * e.vertical.stride - e.vertical.padding;
        const int left = place.w * e.horizontal.stride - e.horizontal.padding;
        for_each_of_window(e.vertical.window(place.h), e.horizontal.window(place.w), part, parts, [&](int h, int w) {
            const std::int64_t pixel =
                (static_cast<std::int64_t>(place.picture) * e.vertical.extent + h) * e.horizontal.extent + w;
            const auto value = load_vector<width>(x + (pixel * e.vectors + place.vector) * width);
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c)
                best[c].challenge(to_f32(value[c]), (h - top) * e.horizontal.kernel + w - left);
        });
    }
    if (parts > 1) {
        const int lanes = static_cast<int>(blockDim.x), thread = part * lanes + static_cast<int>(threadIdx.x);
        HEDDLE_UNROLL
        for (int c = 0; c < width; ++c) {
            values[thread * width + c] = best[c].value;
            positions[thread * width + c] = best[c].position;
        }
        __syncthreads();
        for (int other = thread + lanes; part == 0 && other < parts * lanes; other += lanes) {
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c) best[c].join({values[other * width + c], positions[other * width + c]});
        }
    }
    if (part > 0 || i >= outputs) return;
    Vector<T, width> result;
    HEDDLE_UNROLL
    for (int c = 0; c < width; ++c) result[c] = from_f32<T>(relu && best[c].value < 0 ? 0 : best[c].value);
    const std::int64_t to = static_cast<std::int64_t>(i) * width;
    store_vector(y + to, result);
    if (index8) {
        Vector<std::uint8_t, width> narrow;
        HEDDLE_UNROLL
        for (int c = 0; c < width; ++c) narrow[c] = static_cast<std::uint8_t>(best[c].position);
        store_vector(index8 + to, narrow);
    } else if (index32) {
        HEDDLE_UNROLL
        for (int c = 0; c < width; ++c) index32[to + c] = best[c].position;
    }
}

/// Each element of dx collects from the windows that hold it, in their order. Floor: dy and index read once where
/// windows do not overlap, dx written. y: null without ReLU.
template <class T, class Index, int width>
__global__ void __launch_bounds__(pool_threads)
    max_pool_backward(const T* dy, const T* y, const Index* index, T* dx, PoolExtents e, Divisor by_height,
                      Divisor by_width, int inputs) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= inputs) return;
    const PoolPlace place(i, e, by_height, by_width);
    const PoolAxis::Span rows = e.vertical.cover(place.h), columns = e.horizontal.cover(place.w);
    Vector<float, width> sums{};
    for (int oh = rows.first; oh < rows.last; ++oh)
        for (int ow = columns.first; ow < columns.last; ++ow) {
            const std::int64_t window =
                (static_cast<std::int64_t>(place.picture) * e.vertical.outputs + oh) * e.horizontal.outputs + ow;
            const std::int64_t from = (window * e.vectors + place.vector) * width;
            const int position = (place.h + e.vertical.padding - oh * e.vertical.stride) * e.horizontal.kernel +
                                 place.w + e.horizontal.padding - ow * e.horizontal.stride;
            const auto gradient = load_vector<width>(dy + from);
            bool mine[width];
            HEDDLE_UNROLL
            for (int c = 0; c < width; ++c) mine[c] = true;
            if (y) {
                const auto result = load_vector<width>(y + from);
                HEDDLE_UNROLL
                for (int c = 0; c < width; ++c) mine[c] = to_f32(result[c]) > 0;
            }
            constexpr int piece = sizeof(Index) == 1 || width < 4 ? width : 4;  // at most 16 bytes
            HEDDLE_UNROLL
            for (int c = 0; c < width; c += piece) {
                const auto named = load_vector<piece>(index + from + c);
                HEDDLE_UNROLL
                for (int p = 0; p < piece; ++p)
                    if (mine[c + p] && named[p] == position) sums[c + p] += to_f32(gradient[c + p]);
            }
        }
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
    const bool narrow = args.index.dtype == DType::u8;
    launch(max_pool_forward<T, width>, dim3(static_cast<unsigned>((e.outputs() + lanes - 1) / lanes)),
           dim3(lanes, parts), 0, context, args.x.as<const T>(), args.y.as<T>(),
           args.index && narrow ? args.index.as<std::uint8_t>() : nullptr,
           args.index && !narrow ? args.index.as<std::int32_t>() : nullptr, e, Divisor(e.vertical.outputs),
           Divisor(e.horizontal.outputs), static_cast<int>(e.outputs()), args.activation == FusedActivation::relu);
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
