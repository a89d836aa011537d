#include "kernels/norm/native_statistics.h"

#include "kernels/norm/native_columns.h"

// The moments of every split of x's rows, in one pass, and one small kernel that joins the splits.
HEDDLE_KERNELS_BEGIN
namespace {

/// Mean and biased variance of some rows of a channel, as distances from a pivot near the data, so that a mean of
/// thousands of deviations costs no digits. Sums of squares stay divided by the rows: they do not leave the range of
/// f32 before the variance does.
struct Moments {
    float rows, mean, variance;
};

/// Joins disjoint rows (Chan, Golub and LeVeque, 1979): `b` of them, at least one, to `a`.
struct Weights {
    float of_a, of_b;

    __device__ Weights(float a, float b) : of_a(a / (a + b)), of_b(b / (a + b)) {}
    __device__ void join(float& mean, float& variance, float mean_b, float variance_b) const {
        const float distance = mean_b - mean;
        variance = of_a * variance + of_b * variance_b + of_a * distance * of_b * distance;
        mean = of_a * mean + of_b * mean_b;
    }
};

struct Join {
    __device__ Moments operator()(Moments a, const Moments& b) const {
        if (b.rows == 0) return a;
        Weights(a.rows, b.rows).join(a.mean, a.variance, b.mean, b.variance);
        a.rows += b.rows;
        return a;
    }
};

/// The mean of some rows from top to bottom, the same in every block; 0 where that is not finite.
template <class T, int V>
__device__ void find_pivots(const T* x, const ColumnTiles& tiles, const ColumnPlace& place, float (&pivot)[V]) {
    constexpr std::int64_t wanted = 32;
    const std::int64_t sample = tiles.rows < wanted ? tiles.rows : wanted, step = tiles.rows / sample;
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) pivot[v] = 0;
    if (place.inside)
        for (std::int64_t i = place.lane; i < sample; i += tiles.lanes) {
            const Vector<T, V> values = load_vector<V>(x + (i * step * tiles.units + place.unit) * V);
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) pivot[v] += to_f32(values[v]);
        }
    reduce_lanes(pivot, tiles, place, Sum{});
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) {
        pivot[v] /= static_cast<float>(sample);
        if (pivot[v] - pivot[v] != 0) pivot[v] = 0;
    }
}

/// means and variances: [splits, channels]; pivots: [channels]. Each thread takes the moments of a batch of rows about
/// the batch's own mean and joins them to its former ones; a variance is never the difference of two large sums.
template <class T, int V>
__global__ void split_moments(const T* x, ColumnTiles tiles, float* pivots, float* means, float* variances) {
    constexpr int batch = V > 4 ? 4 : 8;
    const ColumnPlace place = column_place(tiles, blockIdx.x, blockIdx.y);
    const std::int64_t channels = tiles.units * V, channel = place.unit * V;
    float rows = 0, mean[V], variance[V], pivot[V];
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) mean[v] = variance[v] = 0;
    find_pivots(x, tiles, place, pivot);
    for (std::int64_t row = place.first; row < place.last; row += batch * tiles.lanes) {
        Vector<T, V> values[batch];
        int count = 0;
        HEDDLE_UNROLL
        for (int i = 0; i < batch; ++i) {
            const std::int64_t r = row + i * tiles.lanes;
            if (r >= place.last) break;
            values[i] = load_vector<V>(x + r * channels + channel);
            ++count;
        }
        const float part = 1.0f / static_cast<float>(count);
        const Weights weights(rows, static_cast<float>(count));
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) {
            float here = 0, spread = 0;
            HEDDLE_UNROLL
            for (int i = 0; i < batch; ++i)
                if (i < count) here += to_f32(values[i][v]) - pivot[v];
            here *= part;
            HEDDLE_UNROLL
            for (int i = 0; i < batch; ++i) {
                if (i >= count) break;
                const float distance = to_f32(values[i][v]) - pivot[v] - here;
                spread += distance * part * distance;
            }
            weights.join(mean[v], variance[v], here, spread);
        }
        rows += static_cast<float>(count);
    }
    Moments moments[V];
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) moments[v] = {rows, mean[v], variance[v]};
    reduce_lanes(moments, tiles, place, Join{});
    if (!place.leads) return;
    HEDDLE_UNROLL
    for (int v = 0; v < V; ++v) {
        if (blockIdx.y == 0) pivots[channel + v] = pivot[v];
        means[blockIdx.y * channels + channel + v] = moments[v].mean;
        variances[blockIdx.y * channels + channel + v] = moments[v].variance;
    }
}

/// What the moments of a channel become.
struct Statistics {
    const float *scale, *offset;  // or null
    float epsilon, momentum;
    bool unbiased;
    float *mean, *inverse_deviation;
    float *running_mean, *running_variance;  // or null
    float *factor, *shift;                   // for `normalize`
};

/// `parts`: tiles over the matrix [splits, channels] of moments; `rows` and `rows_per_split` are those of x.
__global__ void join_splits(const float* pivots, const float* means, const float* variances, ColumnTiles parts,
                            std::int64_t rows, std::int64_t rows_per_split, Statistics to) {
    const ColumnPlace place = column_place(parts, blockIdx.x, 0);
    const std::int64_t channel = place.unit;
    Moments moments[1] = {{0, 0, 0}};
    for (std::int64_t split = place.first; split < place.last; split += parts.lanes) {
        const std::int64_t left = rows - split * rows_per_split;
        const std::int64_t at = split * parts.units + channel;
        moments[0] = Join{}(
            moments[0], {static_cast<float>(left < rows_per_split ? left : rows_per_split), means[at], variances[at]});
    }
    reduce_lanes(moments, parts, place, Join{});
    if (!place.leads) return;
    const float pivot = pivots[channel], variance = moments[0].variance;
    const float mean = pivot + moments[0].mean;
    // What rounding took from the mean goes into the shift.
    const float lost = moments[0].mean - (mean - pivot);
    const float inverse_deviation = 1.0f / sqrtf(variance + to.epsilon);
    const float factor = at_or(to.scale, channel, 1) * inverse_deviation;
    to.mean[channel] = mean;
    to.inverse_deviation[channel] = inverse_deviation;
    to.factor[channel] = factor;
    to.shift[channel] = at_or(to.offset, channel, 0) - lost * factor;
    const float kept = 1 - to.momentum;
    if (to.running_mean) to.running_mean[channel] = kept * to.running_mean[channel] + to.momentum * mean;
    if (to.running_variance) {
        const float count = static_cast<float>(rows);
        const float taken = to.unbiased && rows > 1 ? variance * (count / (count - 1)) : variance;
        to.running_variance[channel] = kept * to.running_variance[channel] + to.momentum * taken;
    }
}

int access_of(const View& x) { return channels_per_access(x, {}); }

}  // namespace

/// Moments of the splits, then pivots and the factors.
std::size_t statistics_workspace(const View& x) {
    const ColumnTiles tiles = tiles_of(x, access_of(x));
    return static_cast<std::size_t>(x.shape.back()) * (2 * tiles.splits + 3) * sizeof(float);
}

NormFactors take_statistics(const BatchNormForward& args, KernelContext& context) {
    const std::int64_t channels = args.x.shape.back();
    const int access = access_of(args.x);
    const ColumnTiles tiles = tiles_of(args.x, access), parts = column_tiles(tiles.splits, channels, 1, false);
    auto* means = static_cast<float*>(context.workspace);
    float *variances = means + tiles.splits * channels, *factor = variances + tiles.splits * channels,
          *shift = factor + channels, *pivots = shift + channels;
    const Statistics to{.scale = floats(args.scale),
                        .offset = floats(args.offset),
                        .epsilon = args.epsilon,
                        .momentum = args.momentum,
                        .unbiased = args.unbiased_running_variance,
                        .mean = args.mean.as<float>(),
                        .inverse_deviation = args.inverse_deviation.as<float>(),
                        .running_mean = args.running_mean ? args.running_mean.as<float>() : nullptr,
                        .running_variance = args.running_variance ? args.running_variance.as<float>() : nullptr,
                        .factor = factor,
                        .shift = shift};
    with_access(args.x.dtype, access, [&](auto zero, auto constant) {
        using T = decltype(zero);
        constexpr int V = decltype(constant)::value;
        launch(split_moments<T, V>, tiles.grid(), dim3(column_block), 0, context, args.x.as<const T>(), tiles, pivots,
               means, variances);
    });
    launch(join_splits, parts.grid(), dim3(column_block), 0, context, pivots, means, variances, parts, tiles.rows,
           tiles.rows_per_split, to);
    return {factor, shift};
}

HEDDLE_KERNELS_END
