#include "kernels/native_registry.h"
#include "kernels/norm/native_columns.h"
#include "kernels/norm/native_statistics.h"

// Training: the statistics (x read once), then y (x read again, backwards, so that it begins with what is still in
// cache). Inference is the last step alone. The floor is two reads of x and one write of y (inference: one read), and a
// read of the residual.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T, int V>
__global__ void normalize(const T* x, const T* residual, T* y, ColumnTiles tiles, const float* mean,
                          const float* factor, const float* shift, bool relu) {
    const ColumnPlace place = column_place(tiles, blockIdx.x, gridDim.y - 1 - blockIdx.y);
    if (place.first >= place.last) return;
    Affine<V> affine;
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) {
        const std::int64_t channel = place.unit * V + v;
        affine.mean[v] = mean[channel];
        affine.factor[v] = factor[channel];
        affine.shift[v] = shift[channel];
    }
    apply_affine(x, residual, y, affine, relu, tiles, place);
}

template <class T, int V>
__global__ void normalize_fixed(const T* x, const T* residual, T* y, ColumnTiles tiles, const float* mean,
                                const float* variance, const float* scale, const float* offset, float epsilon,
                                bool relu) {
    const ColumnPlace place = column_place(tiles, blockIdx.x, blockIdx.y);
    if (place.first >= place.last) return;
    Affine<V> affine;
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) {
        const std::int64_t channel = place.unit * V + v;
        affine.mean[v] = mean[channel];
        affine.factor[v] = at_or(scale, channel, 1) / sqrtf(variance[channel] + epsilon);
        affine.shift[v] = at_or(offset, channel, 0);
    }
    apply_affine(x, residual, y, affine, relu, tiles, place);
}

void forward(const BatchNormForward& args, KernelContext& context) {
    const NormFactors factors = take_statistics(args, context);
    const int access = channels_per_access(args.x, {&args.residual, &args.y});
    const ColumnTiles tiles = tiles_of(args.x, access);
    with_access(args.x.dtype, access, [&](auto zero, auto constant) {
        using T = decltype(zero);
        constexpr int V = decltype(constant)::value;
        const T *x = args.x.as<T>(), *residual = args.residual ? args.residual.as<T>() : nullptr;
        launch(normalize<T, V>, tiles.grid(), dim3(column_block), 0, context, x, residual, args.y.as<T>(), tiles,
               args.mean.as<const float>(), factors.factor, factors.shift, args.activation == FusedActivation::relu);
    });
}

void inference(const BatchNormInference& args, KernelContext& context) {
    const int access = channels_per_access(args.x, {&args.residual, &args.y});
    const ColumnTiles tiles = tiles_of(args.x, access);
    with_access(args.x.dtype, access, [&](auto zero, auto constant) {
        using T = decltype(zero);
        constexpr int V = decltype(constant)::value;
        launch(normalize_fixed<T, V>, tiles.grid(), dim3(column_block), 0, context, args.x.as<T>(),
               args.residual ? args.residual.as<T>() : nullptr, args.y.as<T>(), tiles, args.mean.as<float>(),
               args.variance.as<float>(), floats(args.scale), floats(args.offset), args.epsilon,
               args.activation == FusedActivation::relu);
    });
}

}  // namespace

void register_norm_forward() {
    batch_norm_forward().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports =
             [](const BatchNormForward& args) {
                 return only_wide(args.x, {&args.scale, &args.offset, &args.mean, &args.inverse_deviation,
                                           &args.running_mean, &args.running_variance});
             },
         .workspace_bytes = [](const BatchNormForward& args) { return statistics_workspace(args.x); },
         .run = forward});
    batch_norm_inference().add(
        {.name = "native",
         .device = backend,
         .priority = priority::plain,
         .supports =
             [](const BatchNormInference& args) {
                 return only_wide(args.x, {&args.scale, &args.offset, &args.mean, &args.variance});
             },
         .run = inference});
}

HEDDLE_KERNELS_END
