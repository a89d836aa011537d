#include "kernels/attention/native_tile.h"
#include "kernels/native_registry.h"

// FlashAttention's forward step (Dao et al., 2022, arXiv:2205.14135): a block keeps 64 queries and iterates over the
// keys, 64 at a time; a running maximum and sum of each row rescale the partial sums. Products are plain FMAs in f32.
// Floor: 4 * queries * keys * size operations per head (half of it if causal); memory: each block reads all
// keys and values that its queries may see, from the L2 cache. Dropout: a Philox block for 8 weights, once a tile.
HEDDLE_KERNELS_BEGIN
namespace {

template <int width, class Dropout>
constexpr std::size_t shared_bytes =
    (2 * tile_rows * row_pitch<width> + tile_rows * weight_pitch) * sizeof(float) + KeptTile<Dropout>::bytes;

template <class T, int width, class Dropout>
__global__ void __launch_bounds__(tile_threads)
    attend(const __grid_constant__ AttentionOperands<T> in, T* output, float* log_sums, unsigned tiles,
           const __grid_constant__ Dropout dropout) {
    HEDDLE_SHARED_DYNAMIC(float, shared);
    float* const queries = shared;
    float* const rows = queries + tile_rows * row_pitch<width>;  // keys, then their values
    float* const weights = rows + tile_rows * row_pitch<width>;
    const TilePlace place = tile_place(tiles, in.heads);
    const KeptTile<Dropout> kept(dropout, place, in.heads, weights + tile_rows * weight_pitch);
    const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);

    load_tile<width>(in.query, place, in.queries, in.heads, in.size, place.first, queries);
    float largest[per_thread], sum[per_thread], sums[per_thread][width / tile_side] = {};
    HEDDLE_UNROLL
    for (int i = 0; i < per_thread; ++i) {
        largest[i] = -INFINITY;
        sum[i] = 0;
    }
    const int last = place.first + tile_rows < in.queries ? place.first + tile_rows : in.queries;
    const int seen = in.seen_by(last - 1);
    for (int first_key = 0; first_key < seen; first_key += tile_rows) {
        __syncthreads();  // the last values have been read
        load_tile<width>(in.key, place, in.keys, in.heads, in.size, first_key, rows);
        kept.draw(place.first, first_key);
        __syncthreads();
        float weight[per_thread][per_thread];
        multiply_rows<width>(queries, rows, weight);
        HEDDLE_UNROLL
        for (int i = 0; i < per_thread; ++i) {
            float most = largest[i];
            HEDDLE_UNROLL
            for (int j = 0; j < per_thread; ++j) {
                const bool counts =
                    in.sees(place.batch, place.first + y + i * tile_side, first_key + x + j * tile_side);
                weight[i][j] = counts ? weight[i][j] * in.scale : -INFINITY;
                most = Max{}(most, weight[i][j]);
            }
            most = warp_reduce<tile_side>(most, Max{});
            // Before any key was seen there is nothing to rescale, and the difference of infinities would be NaN.
            const float shift = most == -INFINITY ? 0.0f : most, rescale = expf(largest[i] - shift);
            float added = 0;
            HEDDLE_UNROLL
            for (int j = 0; j < per_thread; ++j) {
                weight[i][j] = expf(weight[i][j] - shift);
                added += weight[i][j];
                if (!kept.keeps(y + i * tile_side, x + j * tile_side)) weight[i][j] = 0;
            }
            sum[i] = sum[i] * rescale + warp_reduce<tile_side>(added, Sum{});
            largest[i] = most;
            HEDDLE_UNROLL
            for (int n = 0; n < width / tile_side; ++n) sums[i][n] *= rescale;
        }
        store_weights(weight, weights);
        __syncthreads();  // the keys have been read, the weights written
        load_tile<width>(in.value, place, in.keys, in.heads, in.value_size, first_key, rows);
        __syncthreads();
        add_weighted_rows<width, false>(weights, rows, sums);
    }
    HEDDLE_UNROLL
    for (int i = 0; i < per_thread; ++i) {
        const int query = place.first + y + i * tile_side;
        const float factor = sum[i] > 0 ? dropout.factor / sum[i] : 0.0f;
        HEDDLE_UNROLL
        for (int n = 0; n < width / tile_side; ++n) sums[i][n] *= factor;
        if (x == 0 && query < in.queries)
            row_numbers(log_sums, place, in.queries, in.heads)[query] = sum[i] > 0 ? largest[i] + logf(sum[i]) : 0.0f;
    }
    store_sums<width>(sums, output, place, in.queries, in.heads, in.value_size);
}

void run(const AttentionForward& args, KernelContext& context) {
    const AttentionExtents e(args);
    const unsigned tiles = tiles_of(e.queries);
    with_floating(args.query.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_dropout(args.dropout, e, [&](const auto& dropout) {
            using Dropout = std::decay_t<decltype(dropout)>;
            with_width(e, [&](auto width) {
                launch(attend<T, width.value, Dropout>, dim3(static_cast<unsigned>(e.batch * e.heads * tiles)),
                       dim3(tile_side, tile_side), shared_bytes<width.value, Dropout>, context,
                       AttentionOperands<T>(args, e), args.output.as<T>(), args.log_sums.as<float>(), tiles, dropout);
            });
        });
    });
}

}  // namespace

void register_attention_forward() {
    attention_forward().add({.name = "native",
                             .device = backend,
                             .priority = priority::plain,
                             .supports = attention_supports<AttentionForward>,
                             .run = run});
}

HEDDLE_KERNELS_END
