#include "kernels/attention/native_gradients.h"
#include "kernels/native_registry.h"

// FlashAttention's backward step (Dao et al., 2022): weights are recomputed, tile by tile. It takes two kernels, so
// that no two blocks add to the same result and sums have the same bits every time: in one a block keeps 64 keys and
// iterates over the queries (dkey, dvalue), in the other it keeps 64 queries and iterates over the keys (dquery). That
// makes 7 products where 5 would do: 14 * queries * keys * size operations per head, half of it if causal. A small
// kernel first computes doutput · output of each query.
HEDDLE_KERNELS_BEGIN
namespace {

template <int width, class Dropout>
constexpr std::size_t shared_bytes =
    (4 * tile_rows * row_pitch<width> + tile_rows * weight_pitch) * sizeof(float) + KeptTile<Dropout>::bytes;

/// From scores and doutput · value, weights times keep(q, k) and the gradients of the scores before their scale, in
/// place.
template <class T, class Dropout>
__device__ inline void to_gradients(const AttentionOperands<T>& in, const Gradients<T>& given, const TilePlace& place,
                                    int first_query, int first_key, const KeptTile<Dropout>& kept, float factor,
                                    float (&weight)[per_thread][per_thread],
                                    float (&gradient)[per_thread][per_thread]) {
    HEDDLE_UNROLL
    for (int i = 0; i < per_thread; ++i) {
        const int query = first_query + static_cast<int>(threadIdx.y) + i * tile_side;
        const bool inside = query < in.queries;
        const float log_sum = inside ? row_numbers(given.log_sums, place, in.queries, in.heads)[query] : 0.0f,
                    through = inside ? row_numbers(given.through, place, in.queries, in.heads)[query] : 0.0f;
        HEDDLE_UNROLL
        for (int j = 0; j < per_thread; ++j) {
            const bool counts = in.sees(place.batch, query, first_key + static_cast<int>(threadIdx.x) + j * tile_side);
            const bool keep = kept.keeps(static_cast<int>(threadIdx.y) + i * tile_side,
                                         static_cast<int>(threadIdx.x) + j * tile_side);
            weight[i][j] = counts ? expf(weight[i][j] * in.scale - log_sum) : 0.0f;
            gradient[i][j] = in.scale * weight[i][j] * ((keep ? gradient[i][j] * factor : 0.0f) - through);
            weight[i][j] = keep ? weight[i][j] * factor : 0.0f;
        }
    }
}

/// The block's shared memory.
template <int width>
struct Tiles {
    float *query, *key, *value, *doutput, *weights;
    void* kept;

    __device__ explicit Tiles(float* shared)
        : query(shared),
          key(query + tile_rows * row_pitch<width>),
          value(key + tile_rows * row_pitch<width>),
          doutput(value + tile_rows * row_pitch<width>),
          weights(doutput + tile_rows * row_pitch<width>),
          kept(weights + tile_rows * weight_pitch) {}
};

// At least one block: else the compiler saves registers for a second one, for which there is no shared memory, and
// spills.
template <class T, int width, class Dropout>
__global__ void __launch_bounds__(tile_threads, 1)
    key_gradients(const __grid_constant__ AttentionOperands<T> in, const __grid_constant__ Gradients<T> given, T* dkey,
                  T* dvalue, unsigned tiles, const __grid_constant__ Dropout dropout) {
    HEDDLE_SHARED_DYNAMIC(float, shared);
    const Tiles<width> tile(shared);
    const TilePlace place = tile_place(tiles, in.heads);
    const KeptTile<Dropout> kept(dropout, place, in.heads, tile.kept);
    load_tile<width>(in.key, place, in.keys, in.heads, in.size, place.first, tile.key);
    load_tile<width>(in.value, place, in.keys, in.heads, in.value_size, place.first, tile.value);
    float of_key[per_thread][width / tile_side] = {}, of_value[per_thread][width / tile_side] = {};
    for (int first = in.first_that_sees(place.first) / tile_rows * tile_rows; first < in.queries; first += tile_rows) {
        __syncthreads();  // the last tiles have been read
        load_tile<width>(in.query, place, in.queries, in.heads, in.size, first, tile.query);
        load_tile<width>(given.doutput, place, in.queries, in.heads, in.value_size, first, tile.doutput);
        kept.draw(first, place.first);
        __syncthreads();
        float weight[per_thread][per_thread], gradient[per_thread][per_thread];
        multiply_rows<width>(tile.query, tile.key, weight);
        multiply_rows<width>(tile.doutput, tile.value, gradient);
        to_gradients(in, given, place, first, place.first, kept, dropout.factor, weight, gradient);
        store_weights(weight, tile.weights);
        __syncthreads();
        add_weighted_rows<width, true>(tile.weights, tile.doutput, of_value);
        __syncthreads();  // the weights have been read
        store_weights(gradient, tile.weights);
        __syncthreads();
        add_weighted_rows<width, true>(tile.weights, tile.query, of_key);
    }
    store_sums<width>(of_key, dkey, place, in.keys, in.heads, in.size);
    store_sums<width>(of_value, dvalue, place, in.keys, in.heads, in.value_size);
}

template <class T, int width, class Dropout>
__global__ void __launch_bounds__(tile_threads)
    query_gradients(const __grid_constant__ AttentionOperands<T> in, const __grid_constant__ Gradients<T> given,
                    T* dquery, unsigned tiles, const __grid_constant__ Dropout dropout) {
    HEDDLE_SHARED_DYNAMIC(float, shared);
    const Tiles<width> tile(shared);
    const TilePlace place = tile_place(tiles, in.heads);
    const KeptTile<Dropout> kept(dropout, place, in.heads, tile.kept);
    load_tile<width>(in.query, place, in.queries, in.heads, in.size, place.first, tile.query);
    load_tile<width>(given.doutput, place, in.queries, in.heads, in.value_size, place.first, tile.doutput);
    float of_query[per_thread][width / tile_side] = {};
    const int last = place.first + tile_rows < in.queries ? place.first + tile_rows : in.queries;
    const int seen = in.seen_by(last - 1);
    for (int first = 0; first < seen; first += tile_rows) {
        __syncthreads();  // the last tiles have been read
        load_tile<width>(in.key, place, in.keys, in.heads, in.size, first, tile.key);
        load_tile<width>(in.value, place, in.keys, in.heads, in.value_size, first, tile.value);
        kept.draw(place.first, first);
        __syncthreads();
        float weight[per_thread][per_thread], gradient[per_thread][per_thread];
        multiply_rows<width>(tile.query, tile.key, weight);
        multiply_rows<width>(tile.doutput, tile.value, gradient);
        to_gradients(in, given, place, place.first, first, kept, dropout.factor, weight, gradient);
        store_weights(gradient, tile.weights);
        __syncthreads();
        add_weighted_rows<width, false>(tile.weights, tile.key, of_query);
    }
    store_sums<width>(of_query, dquery, place, in.queries, in.heads, in.size);
}

template <class T>
void run_of(const AttentionBackward& args, KernelContext& context) {
    const AttentionExtents e(args);
    const AttentionOperands<T> in(args, e);
    const Gradients<T> given = given_gradients<T>(args, context);
    const unsigned query_tiles = tiles_of(e.queries), key_tiles = tiles_of(e.keys);
    const auto grid = [&](unsigned tiles) { return dim3(static_cast<unsigned>(e.batch * e.heads * tiles)); };
    const dim3 block(tile_side, tile_side);
    with_dropout(args.dropout, e, [&](const auto& dropout) {
        using Dropout = std::decay_t<decltype(dropout)>;
        with_width(e, [&](auto width) {
            constexpr std::size_t shared = shared_bytes<width.value, Dropout>;
            launch(key_gradients<T, width.value, Dropout>, grid(key_tiles), block, shared, context, in, given,
                   args.dkey.as<T>(), args.dvalue.as<T>(), key_tiles, dropout);
            launch(query_gradients<T, width.value, Dropout>, grid(query_tiles), block, shared, context, in, given,
                   args.dquery.as<T>(), query_tiles, dropout);
        });
    });
}

}  // namespace

void register_attention_backward() {
    attention_backward().add({.name = "native",
                              .device = backend,
                              .priority = priority::plain,
                              .supports = attention_supports<AttentionBackward>,
                              .workspace_bytes = gradients_workspace,
                              .run = [](const AttentionBackward& args, KernelContext& context) {
                                  with_floating(args.query.dtype,
                                                [&](auto zero) { run_of<decltype(zero)>(args, context); });
                              }});
}

HEDDLE_KERNELS_END
