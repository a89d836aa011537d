#include "kernels/native_registry.h"
#include "kernels/norm/native_columns.h"

// One pass takes the sums over the rows and writes what does not depend on them (dresidual, and dx where the statistics
// were fixed); a small kernel joins the splits; where dx depends on the sums, a second pass writes it, backwards, so
// that it begins with what is still in cache. The floor is the bytes of both passes: x and dy twice, y twice (once if
// dresidual holds the masked gradient), dx and dresidual once.
HEDDLE_KERNELS_BEGIN
namespace {

/// What the first pass reads and writes.
template <class T>
struct Gradients {
    const T *x, *dy;
    const T* y;                                     // null: no mask
    const float *scale, *mean, *inverse_deviation;  // scale may be null
    T* dresidual;                                   // null: not wanted
    T* fixed_dx;                                    // dx = scale * inverse_deviation * g; null: not wanted here
    float *sums, *products;                         // of g and g * (x - mean): [splits, channels]; null: not wanted
};

/// g = dy where y > 0 (or everywhere), of one vector.
template <class T, int V>
__device__ inline void masked_gradient(const Vector<T, V>& dy, const Vector<T, V>& y, bool masked, float (&g)[V]) {
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) g[v] = !masked || to_f32(y[v]) > 0 ? to_f32(dy[v]) : 0;
}

template <class T, int V>
__device__ inline void store_rounded(T* to, const float (&value)[V]) {
    Vector<T, V> rounded;
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) rounded[v] = from_f32<T>(value[v]);
    store_vector_global(to, rounded);
}

/// dx and dresidual may be dy: every element is read before it is written, by one thread.
template <class T, int V>
__global__ void first_pass(Gradients<T> args, ColumnTiles tiles) {
    constexpr int batch = V > 1 ? 2 : 4;
    const ColumnPlace place = column_place(tiles, blockIdx.x, blockIdx.y);
    const std::int64_t channels = tiles.units * V, channel = place.unit * V;
    float sum[V], product[V], mean[V], factor[V];
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) {
        sum[v] = product[v] = mean[v] = factor[v] = 0;
        if (place.first >= place.last) continue;
        mean[v] = args.mean[channel + v];
        factor[v] = at_or(args.scale, channel + v, 1) * args.inverse_deviation[channel + v];
    }
    for (std::int64_t row = place.first; row < place.last; row += batch * tiles.lanes) {
        Vector<T, V> x[batch], y[batch], dy[batch];
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) {
            const std::int64_t r = row + i * tiles.lanes, at = r * channels + channel;
            if (r >= place.last) break;
            dy[i] = load_vector<V>(args.dy + at);
            if (args.sums) x[i] = load_vector<V>(args.x + at);
            if (args.y) y[i] = load_vector<V>(args.y + at);
        }
        float batch_sum[V] = {}, batch_product[V] = {};
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) {
            const std::int64_t r = row + i * tiles.lanes, at = r * channels + channel;
            if (r >= place.last) break;
            float g[V];
            masked_gradient(dy[i], y[i], args.y != nullptr, g);
            if (args.sums) {
                HEDDLE_UNROLL
                for (int v = 0; v < V; ++v) {
                    batch_sum[v] += g[v];
                    batch_product[v] += g[v] * (to_f32(x[i][v]) - mean[v]);
                }
            }
            if (args.dresidual) store_rounded(args.dresidual + at, g);
            if (!args.fixed_dx) continue;
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) g[v] *= factor[v];
            store_rounded(args.fixed_dx + at, g);
        }
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) {
            sum[v] += batch_sum[v];
            product[v] += batch_product[v];
        }
    }
    if (!args.sums) return;  // the same for all threads
    reduce_lanes(sum, tiles, place, Sum{});
    reduce_lanes(product, tiles, place, Sum{});
    if (!place.leads) return;
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) {
        args.sums[blockIdx.y * channels + channel + v] = sum[v];
        args.products[blockIdx.y * channels + channel + v] = product[v];
    }
}

/// What the sums become: dscale and doffset, and the terms of dx = factor * g - (x - mean) * slope - constant.
struct Terms {
    const float *scale, *inverse_deviation;  // scale may be null
    float rows;
    float *dscale, *doffset;  // null: not wanted
    float *slope, *constant;  // null: not wanted
};

__global__ void join_sums(const float* sums, const float* products, ColumnTiles parts, Terms to) {
    const ColumnPlace place = column_place(parts, blockIdx.x, 0);
    const std::int64_t channel = place.unit;
    float total[2] = {0, 0};
    for (std::int64_t split = place.first; split < place.last; split += parts.lanes) {
        total[0] += sums[split * parts.units + channel];
        total[1] += products[split * parts.units + channel];
    }
    reduce_lanes(total, parts, place, Sum{});
    if (!place.leads) return;
    const float inverse_deviation = to.inverse_deviation[channel];
    const float dscale = total[1] * inverse_deviation;
    if (to.dscale) to.dscale[channel] = dscale;
    if (to.doffset) to.doffset[channel] = total[0];
    if (!to.slope) return;
    const float per_row = at_or(to.scale, channel, 1) * inverse_deviation / to.rows;
    to.slope[channel] = per_row * dscale * inverse_deviation;
    to.constant[channel] = per_row * total[0];
}

/// dx through the statistics. dx may be dy.
template <class T, int V>
__global__ void second_pass(Gradients<T> args, T* dx, const float* slopes, const float* constants, ColumnTiles tiles) {
    constexpr int batch = V > 1 ? 2 : 4;
    const ColumnPlace place = column_place(tiles, blockIdx.x, gridDim.y - 1 - blockIdx.y);
    if (place.first >= place.last) return;
    const std::int64_t channels = tiles.units * V, channel = place.unit * V;
    float mean[V], factor[V], slope[V], constant[V];
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) {
        mean[v] = args.mean[channel + v];
        factor[v] = at_or(args.scale, channel + v, 1) * args.inverse_deviation[channel + v];
        slope[v] = slopes[channel + v];
        constant[v] = constants[channel + v];
    }
    for (std::int64_t row = place.first; row < place.last; row += batch * tiles.lanes) {
        Vector<T, V> x[batch], y[batch], dy[batch];
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) {
            const std::int64_t r = row + i * tiles.lanes, at = r * channels + channel;
            if (r >= place.last) break;
            x[i] = load_vector<V>(args.x + at);
            dy[i] = load_vector<V>(args.dy + at);
            if (args.y) y[i] = load_vector<V>(args.y + at);
        }
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) {
            const std::int64_t r = row + i * tiles.lanes;
            if (r >= place.last) break;
            float g[V];
            masked_gradient(dy[i], y[i], args.y != nullptr, g);
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) g[v] = factor[v] * g[v] - (to_f32(x[i][v]) - mean[v]) * slope[v] - constant[v];
            store_rounded(dx + r * channels + channel, g);
        }
    }
}

int access_of(const BatchNormBackward& args) {
    return channels_per_access(args.x, {&args.dy, &args.y, &args.dx, &args.dresidual});
}

bool through_statistics(const BatchNormBackward& args) { return args.training && args.dx; }

bool wants_sums(const BatchNormBackward& args) { return through_statistics(args) || args.dscale || args.doffset; }

/// The sums of the splits, then slope and constant.
std::size_t workspace(const BatchNormBackward& args) {
    if (!wants_sums(args)) return 0;
    const ColumnTiles tiles = tiles_of(args.x, access_of(args));
    return static_cast<std::size_t>(args.x.shape.back()) * (2 * tiles.splits + 2) * sizeof(float);
}

template <class T, int V>
void backward_of(const BatchNormBackward& args, KernelContext& context) {
    const std::int64_t channels = args.x.shape.back();
    const ColumnTiles tiles = tiles_of(args.x, V);
    const bool second = through_statistics(args), sums_wanted = wants_sums(args);
    auto* sums = static_cast<float*>(context.workspace);
    float *products = sums + tiles.splits * channels, *slope = products + tiles.splits * channels;
    const auto pointer = [](const View& view) { return view ? view.as<T>() : nullptr; };
    Gradients<T> gradients{.x = args.x.as<T>(),
                           .dy = args.dy.as<T>(),
                           .y = args.activation == FusedActivation::relu ? args.y.as<T>() : nullptr,
                           .scale = floats(args.scale),
                           .mean = args.mean.as<float>(),
                           .inverse_deviation = args.inverse_deviation.as<float>(),
                           .dresidual = pointer(args.dresidual),
                           .fixed_dx = second ? nullptr : pointer(args.dx),
                           .sums = sums_wanted ? sums : nullptr,
                           .products = products};
    if (sums_wanted || gradients.dresidual || gradients.fixed_dx)
        launch(first_pass<T, V>, tiles.grid(), dim3(column_block), 0, context, gradients, tiles);
    if (!sums_wanted) return;
    const ColumnTiles parts = column_tiles(tiles.splits, channels, 1, false);
    const Terms terms{.scale = gradients.scale,
                      .inverse_deviation = gradients.inverse_deviation,
                      .rows = static_cast<float>(tiles.rows),
                      .dscale = args.dscale ? args.dscale.as<float>() : nullptr,
                      .doffset = args.doffset ? args.doffset.as<float>() : nullptr,
                      .slope = second ? slope : nullptr,
                      .constant = slope + channels};
    launch(join_sums, parts.grid(), dim3(column_block), 0, context, sums, products, parts, terms);
    if (!second) return;
    if (gradients.dresidual) {  // which holds the masked gradient, and may have taken the place of dy
        gradients.dy = gradients.dresidual;
        gradients.y = nullptr;
    }
    launch(second_pass<T, V>, tiles.grid(), dim3(column_block), 0, context, gradients, args.dx.as<T>(), slope,
           terms.constant, tiles);
}

void run(const BatchNormBackward& args, KernelContext& context) {
    with_access(args.x.dtype, access_of(args), [&](auto zero, auto constant) {
        backward_of<decltype(zero), decltype(constant)::value>(args, context);
    });
}

}  // namespace

void register_norm_backward() {
    batch_norm_backward().add({.name = "native",
                               .device = backend,
                               .priority = priority::plain,
                               .supports =
                                   [](const BatchNormBackward& args) {
                                       return only_wide(args.x, {&args.scale, &args.mean, &args.inverse_deviation,
                                                                 &args.dscale, &args.doffset});
                                   },
                               .workspace_bytes = workspace,
                               .run = run});
}

HEDDLE_KERNELS_END
