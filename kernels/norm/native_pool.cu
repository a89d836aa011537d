#include "kernels/native_registry.h"
#include "kernels/norm/native_columns.h"
#include "kernels/norm/native_statistics.h"
#include "kernels/norm/norm_pool.h"
#include "kernels/pool/native_winner.h"

// Forward: the statistics (x read once), then windows over x (read once more where they do not overlap), which write y,
// picked and index. Backward: the sums of batch norm over the elements that won, a picture of y's size; then every
// element of x is read and of dx written once, with y, dy and index, which the windows of one element are likely to
// leave in cache for its neighbours.
HEDDLE_KERNELS_BEGIN
namespace {

/// What is larger becomes larger, or smaller where the scale is negative.
template <int width>
struct ByScale {
    float sign[width];

    __device__ ByScale(const float* scale, std::int64_t channel) {
        HEDDLE_UNROLL
        for (int c = 0; c < width; ++c) sign[c] = at_or(scale, channel + c, 1) < 0 ? -1.0f : 1.0f;
    }
    __device__ float operator()(int c, float value) const { return sign[c] * value; }
};

/// `picked` may be null; scale, too.
template <class T, int width>
__global__ void __launch_bounds__(pool_threads)
    normalize_winners(const T* x, T* y, T* picked, PoolIndex index, PoolExtents e, Divisor by_height, Divisor by_width,
                      int outputs, const float* scale, const float* mean, NormFactors factors, bool relu) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    int vector = 0;
    e.by_vectors.divide(i < outputs ? i : 0, vector);
    const std::int64_t channel = static_cast<std::int64_t>(vector) * width;
    const ByScale<width> order(scale, channel);
    Best best[width];
    if (!best_of_window<width>(x, i, outputs, e, by_height, by_width, order, best)) return;
    Vector<T, width> winners, result;
    HEDDLE_UNROLL
    for (int c = 0; c < width; ++c) {
        const float winner = order(c, best[c].value);  // its own inverse
        winners[c] = from_f32<T>(winner);
        const float value = (winner - mean[channel + c]) * factors.factor[channel + c] + factors.shift[channel + c];
        result[c] = from_f32<T>(relu && value < 0 ? 0 : value);
    }
    const std::int64_t to = static_cast<std::int64_t>(i) * width;
    store_vector(y + to, result);
    if (picked) store_vector(picked + to, winners);
    index.store(to, best);
}

/// Channel vectors of the backward step; scale may be null.
struct ChannelVectors {
    const float *scale, *mean, *inverse_deviation, *dscale, *doffset;
    float rows;
};

/// dx = scale * inverse_deviation * (g - doffset / rows - (x - mean) * inverse_deviation * dscale / rows). y: null
/// without ReLU.
template <class T, class Index, int width>
__global__ void __launch_bounds__(pool_threads)
    winners_backward(const T* x, const T* dy, const T* y, const Index* index, T* dx, PoolExtents e, Divisor by_height,
                     Divisor by_width, int inputs, ChannelVectors vectors) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= inputs) return;
    const PoolPlace place(i, e, by_height, by_width);
    const std::int64_t at = static_cast<std::int64_t>(i) * width,
                       channel = static_cast<std::int64_t>(place.vector) * width;
    const auto values = load_vector<width>(x + at);
    const Vector<float, width> sums = collect<width>(dy, y, index, place, e);
    Vector<T, width> result;
    HEDDLE_UNROLL
    for (int c = 0; c < width; ++c) {
        const float inverse_deviation = vectors.inverse_deviation[channel + c];
        const float factor = at_or(vectors.scale, channel + c, 1) * inverse_deviation, per_row = factor / vectors.rows;
        const float slope = per_row * vectors.dscale[channel + c] * inverse_deviation;
        const float constant = per_row * vectors.doffset[channel + c];
        result[c] = from_f32<T>(factor * sums[c] - (to_f32(values[c]) - vectors.mean[channel + c]) * slope - constant);
    }
    store_vector(dx + at, result);
}

template <class T, int width>
void forward_of(const BatchNormPoolForward& args, KernelContext& context) {
    const NormFactors factors = take_statistics(args.norm(), context);
    const PoolExtents e(args.x.shape, args.y.shape, args.params, width);
    const auto parts = static_cast<unsigned>(parts_for(e)), lanes = pool_threads / parts;
    launch(normalize_winners<T, width>, dim3(static_cast<unsigned>((e.outputs() + lanes - 1) / lanes)),
           dim3(lanes, parts), 0, context, args.x.as<const T>(), args.y.as<T>(),
           args.picked ? args.picked.as<T>() : nullptr, PoolIndex(args.index), e, Divisor(e.vertical.outputs),
           Divisor(e.horizontal.outputs), static_cast<int>(e.outputs()), floats(args.scale),
           args.mean.as<const float>(), factors, args.activation == FusedActivation::relu);
}

void run_forward(const BatchNormPoolForward& args, KernelContext& context) {
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const bool vectors = is_aligned(args.picked.data) &&
                             pool_width<T>(args.x.shape[3], args.x.data, args.y.data, args.index.data) > 1;
        vectors ? forward_of<T, vector_width<T>>(args, context) : forward_of<T, 1>(args, context);
    });
}

template <class T, class Index, int width>
void write_dx(const BatchNormPoolBackward& args, const ChannelVectors& vectors, KernelContext& context) {
    const PoolExtents e(args.x.shape, args.dy.shape, args.params, width);
    launch(winners_backward<T, Index, width>,
           dim3(static_cast<unsigned>((e.inputs() + pool_threads - 1) / pool_threads)), dim3(pool_threads), 0, context,
           args.x.as<const T>(), args.dy.as<const T>(),
           args.activation == FusedActivation::relu ? args.y.as<const T>() : nullptr, args.index.as<const Index>(),
           args.dx.as<T>(), e, Divisor(e.vertical.extent), Divisor(e.horizontal.extent), static_cast<int>(e.inputs()),
           vectors);
}

template <class T, class Index>
void write_dx(const BatchNormPoolBackward& args, const ChannelVectors& vectors, KernelContext& context) {
    const bool wide = is_aligned(args.x.data) && is_aligned(args.y.data) &&
                      pool_width<T>(args.x.shape[3], args.dy.data, args.dx.data, args.index.data) > 1;
    wide ? write_dx<T, Index, vector_width<T>>(args, vectors, context) : write_dx<T, Index, 1>(args, vectors, context);
}

const Implementation<BatchNormBackward>& norm_backward() { return *batch_norm_backward().find("native", backend); }

/// Behind that of batch norm: dscale and doffset.
std::size_t sums_bytes(const BatchNormPoolBackward& args) {
    constexpr std::size_t line = 128;
    return (norm_backward().workspace_bytes(args.sums({}, args.mean)) + line - 1) / line * line;
}

std::size_t backward_workspace(const BatchNormPoolBackward& args) {
    return sums_bytes(args) + 2 * static_cast<std::size_t>(args.mean.elements()) * sizeof(float);
}

void run_backward(const BatchNormPoolBackward& args, KernelContext& context) {
    auto* own = static_cast<std::byte*>(context.workspace) + sums_bytes(args);
    const auto given_or = [&](const View& view, std::int64_t offset) {
        return view ? view : View(reinterpret_cast<float*>(own) + offset, args.mean.shape, DType::f32);
    };
    const View dscale = given_or(args.dscale, 0), doffset = given_or(args.doffset, args.mean.elements());
    norm_backward().run(args.sums(dscale, doffset), context);
    if (!args.dx) return;
    const ChannelVectors vectors{.scale = floats(args.scale),
                                 .mean = args.mean.as<const float>(),
                                 .inverse_deviation = args.inverse_deviation.as<const float>(),
                                 .dscale = dscale.as<const float>(),
                                 .doffset = doffset.as<const float>(),
                                 .rows = static_cast<float>(args.x.elements() / args.mean.elements())};
    with_floating(args.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        args.index.dtype == DType::u8 ? write_dx<T, std::uint8_t>(args, vectors, context)
                                      : write_dx<T, std::int32_t>(args, vectors, context);
    });
}

}  // namespace

void register_norm_pool() {
    batch_norm_pool_forward().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports =
             [](const BatchNormPoolForward& args) {
                 const Support vectors =
                     only_wide(args.x, {&args.scale, &args.offset, &args.mean, &args.inverse_deviation,
                                        &args.running_mean, &args.running_variance});
                 return vectors ? supports_pool(args.x, args.y) : vectors;
             },
         .workspace_bytes = [](const BatchNormPoolForward& args) { return statistics_workspace(args.x); },
         .run = run_forward});
    batch_norm_pool_backward().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports =
             [](const BatchNormPoolBackward& args) {
                 const Support vectors =
                     only_wide(args.x, {&args.scale, &args.mean, &args.inverse_deviation, &args.dscale, &args.doffset});
                 return vectors ? supports_pool(args.x, args.dy) : vectors;
             },
         .workspace_bytes = backward_workspace,
         .run = run_backward});
}

HEDDLE_KERNELS_END
