#include "kernels/attention/native_gradients.h"
#include "kernels/attention/native_mma.h"
#include "kernels/native_registry.h"

// FlashAttention-2's backward step (Dao 2023, arXiv:2307.08691) for f16 and bf16, in two kernels, so that no two blocks
// add to the same result and sums have the same bits every time: in one a block keeps queries and iterates over the
// keys (dquery), in the other it keeps keys and iterates over the queries (dkey, dvalue). The second one computes the
// transposed products, keys by queries, so that its weights, too, come out as left operands. Weights and the gradients
// of scores are rounded to 16 bits before they are multiplied; in f16 a gradient beyond 65504 becomes infinite, as it
// would in a matrix of scores.
//
// Floor: 14 * queries * keys * size operations per head (7 products where 5 would do), half of it if causal; memory:
// the kept rows and the results once, the other side once for every block, mostly from the L2 cache. Fewer rows fit in
// the registers than in the forward pass, so shared memory is the limit: a warp loads a fragment (4 cycles) for 2.4
// to 2.7 products, or 1.6 to 1.7 in heads of more than 64, which take as many cycles at the full rate of an H100's
// tensor cores. Two blocks fit a multiprocessor (160 to 255 registers, 31 to 105 KB). Estimate: a third of the dense
// rate for heads of 64, a quarter for 128, of 14 operations; not measured.
HEDDLE_KERNELS_BEGIN
namespace {

/// What fits in 255 registers: sums of rows, products with two tiles.
template <int width>
using QueryTile = MmaTile<width, width <= 64 ? 2 : 1, width <= 64 ? 32 : 64>;
/// The same, with two sums.
template <int width>
using KeyTile = MmaTile<width, width <= 64 ? 2 : 1, 32>;

/// What is kept, and two tiles of what is walked over, each of two operands; with them, numbers of each column.
template <class T, class Tile>
constexpr std::size_t shared_bytes = (2 * Tile::kept_elements + 4 * Tile::walked_elements) * sizeof(T);
template <class Tile>
constexpr std::size_t column_bytes = 4 * Tile::columns * sizeof(float);

template <class T, class Tile, class Dropout>
__global__ void __launch_bounds__(Tile::threads)
    query_gradients_mma(const __grid_constant__ AttentionOperands<T> in, const __grid_constant__ Gradients<T> given,
                        T* dquery, unsigned tiles, const __grid_constant__ Dropout dropout) {
    HEDDLE_SHARED_DYNAMIC(T, shared);
    T* const queries = shared;
    T* const doutputs = queries + Tile::kept_elements;
    T* const walked = doutputs + Tile::kept_elements;  // keys and values of two tiles
    const TilePlace place = place_of_queries<Tile>(in, tiles);
    const LanePlace<Tile> lane;
    const LaneDropout<Tile, Dropout> kept(dropout, place, in.heads);
    const KeyWalk<Tile, T> walk{in, place, walked};
    if (walk.seen > 0) {
        copy_rows<Tile, Tile::rows>(in.query, place, in.queries, in.heads, in.size, place.first, queries);
        copy_rows<Tile, Tile::rows>(given.doutput, place, in.queries, in.heads, in.value_size, place.first, doutputs);
    }
    walk.begin();

    const float scale = in.scale * log2_of_e;
    float log_sum[Tile::row_blocks][2], through[Tile::row_blocks][2];
    HEDDLE_UNROLL
    for (int i = 0; i < Tile::row_blocks; ++i) {
        HEDDLE_UNROLL
        for (int part = 0; part < 2; ++part) {
            const int query = place.first + lane.row(i, part);
            const bool inside = query < in.queries;
            log_sum[i][part] = inside ? log2_of_e * row_numbers(given.log_sums, place, in.queries, in.heads)[query] : 0;
            through[i][part] = inside ? row_numbers(given.through, place, in.queries, in.heads)[query] : 0;
        }
    }
    typename Tile::Sums sums;
    for_each_element<Tile, Tile::width / 8>([&](int i, int part, int n, int e) { sums[i][n][2 * part + e] = 0; });
    walk.for_each_tile([&](int first_key, const T* keys) {
        typename Tile::Products weight, gradient;
        multiply_kept<Tile>(queries, keys, weight);
        multiply_kept<Tile>(doutputs, keys + Tile::walked_elements, gradient);
        for_each_element<Tile, Tile::columns / 8>([&](int i, int part, int j, int e) {
            float& p = weight[i][j][2 * part + e];
            p = exp2f(p * scale - log_sum[i][part]);
        });
        hide_keys<Tile>(in, place, first_key, 0, weight);
        kept.for_each_of_queries(first_key, [&](int i, int part, int j, int e, bool keep) {
            float& g = gradient[i][j][2 * part + e];
            g = weight[i][j][2 * part + e] * ((keep ? g * dropout.factor : 0.0f) - through[i][part]);
        });
        add_weighted<Tile>(gradient, keys, sums);
    });
    store_rows<Tile>(sums, in.scale, dquery, place, in.queries, in.heads, in.size);
}

/// Of the products of kept keys with the queries from `first_query` on, sets those that do not count to 0.
template <class Tile, class T>
__device__ inline void hide_queries(const AttentionOperands<T>& in, const TilePlace& place, int first_query,
                                    typename Tile::Products& products) {
    const LanePlace<Tile> lane;
    const int end = place.first + lane.first_row + Tile::warp_rows;
    if (!in.mask && end <= in.keys && first_query >= in.first_that_sees(end - 1) &&
        first_query + Tile::columns <= in.queries)
        return;
    HEDDLE_UNROLL
    for (int i = 0; i < Tile::row_blocks; ++i) {
        HEDDLE_UNROLL
        for (int part = 0; part < 2; ++part) {
            const int key = place.first + lane.row(i, part);
            const bool counts = key < in.keys && !in.masked(place.batch, key);
            const int first = counts ? in.first_that_sees(key) : in.queries;
            HEDDLE_UNROLL
            for (int j = 0; j < Tile::columns / 8; ++j) {
                HEDDLE_UNROLL
                for (int e = 0; e < 2; ++e) {
                    const int query = first_query + lane.column(j) + e;
                    if (query < first || query >= in.queries) products[i][j][2 * part + e] = 0;
                }
            }
        }
    }
}

template <class T, class Tile, class Dropout>
__global__ void __launch_bounds__(Tile::threads)
    key_gradients_mma(const __grid_constant__ AttentionOperands<T> in, const __grid_constant__ Gradients<T> given,
                      T* dkey, T* dvalue, unsigned tiles, const __grid_constant__ Dropout dropout) {
    HEDDLE_SHARED_DYNAMIC(T, shared);
    T* const keys = shared;
    T* const values = keys + Tile::kept_elements;
    T* const walked = values + Tile::kept_elements;  // queries and doutput of two tiles
    auto* const of_columns = reinterpret_cast<float*>(walked + 4 * Tile::walked_elements);  // log_sums, through
    const TilePlace place = tile_place<Tile::rows>(tiles, in.heads);
    const LanePlace<Tile> lane;
    const auto load = [&](int first_query, int stage) {
        T* const queries = walked + stage * 2 * Tile::walked_elements;
        copy_rows<Tile, Tile::columns>(in.query, place, in.queries, in.heads, in.size, first_query, queries);
        copy_rows<Tile, Tile::columns>(given.doutput, place, in.queries, in.heads, in.value_size, first_query,
                                       queries + Tile::walked_elements);
        const int column = static_cast<int>(threadIdx.x);
        if (column >= Tile::columns) return;
        float* const to = of_columns + stage * 2 * Tile::columns + column;
        const bool inside = first_query + column < in.queries;
        const int at = inside ? first_query + column : 0;
        copy_async_4(to, row_numbers(given.log_sums, place, in.queries, in.heads) + at, inside);
        copy_async_4(to + Tile::columns, row_numbers(given.through, place, in.queries, in.heads) + at, inside);
    };
    const int first_row = place.first + lane.first_row;
    const int first_query = in.first_that_sees(place.first) / Tile::columns * Tile::columns;
    if (first_query < in.queries) {
        copy_rows<Tile, Tile::rows>(in.key, place, in.keys, in.heads, in.size, place.first, keys);
        copy_rows<Tile, Tile::rows>(in.value, place, in.keys, in.heads, in.value_size, place.first, values);
        load(first_query, 0);
    }
    copy_async_commit();

    const float scale = in.scale * log2_of_e;
    typename Tile::Sums of_key, of_value;
    for_each_element<Tile, Tile::width / 8>(
        [&](int i, int part, int n, int e) { of_key[i][n][2 * part + e] = of_value[i][n][2 * part + e] = 0; });
    int stage = 0;
    for (int first = first_query; first < in.queries; first += Tile::columns, stage ^= 1) {
        copy_async_wait<0>();
        __syncthreads();  // the tile is there, and everyone is done with the one whose place the next one takes
        if (first + Tile::columns < in.queries) load(first + Tile::columns, stage ^ 1);
        copy_async_commit();
        if (first_row >= in.keys || first + Tile::columns <= in.first_that_sees(first_row)) continue;
        const T* const queries = walked + stage * 2 * Tile::walked_elements;
        const T* const doutputs = queries + Tile::walked_elements;
        const float* const log_sums = of_columns + stage * 2 * Tile::columns;
        const float* const through = log_sums + Tile::columns;
        typename Tile::Products weight, gradient;
        multiply_kept<Tile>(keys, queries, weight);
        if constexpr (!Dropout::drops) multiply_kept<Tile>(values, doutputs, gradient);
        for_each_element<Tile, Tile::columns / 8>([&](int i, int part, int j, int e) {
            float& p = weight[i][j][2 * part + e];
            p = exp2f(p * scale - log_sums[lane.column(j) + e] * log2_of_e);
        });
        hide_queries<Tile>(in, place, first, weight);
        // Random bits are drawn here, before the second product takes its registers; until then the sign marks a
        // dropped weight.
        if constexpr (Dropout::drops) {
            const LaneDropout<Tile, Dropout> kept(dropout, place, in.heads);
            kept.for_each_of_keys(first, [&](int i, int part, int j, int e, bool keep) {
                float& p = weight[i][j][2 * part + e];
                p = keep ? p : -p;
            });
            multiply_kept<Tile>(values, doutputs, gradient);
        }
        for_each_element<Tile, Tile::columns / 8>([&](int i, int part, int j, int e) {
            float &g = gradient[i][j][2 * part + e], &p = weight[i][j][2 * part + e];
            const bool dropped = Dropout::drops && p < 0;
            g = (dropped ? -p : p) * ((dropped ? 0.0f : g * dropout.factor) - through[lane.column(j) + e]);
            if (dropped) p = 0;
        });
        add_weighted<Tile>(weight, doutputs, of_value);
        add_weighted<Tile>(gradient, queries, of_key);
    }
    store_rows<Tile>(of_key, in.scale, dkey, place, in.keys, in.heads, in.size);
    store_rows<Tile>(of_value, dropout.factor, dvalue, place, in.keys, in.heads, in.value_size);
}

Support supports(const AttentionBackward& args) {
    return mma_supports(args,
                        {&args.query, &args.key, &args.value, &args.doutput, &args.dquery, &args.dkey, &args.dvalue});
}

template <class T>
void run_of(const AttentionBackward& args, KernelContext& context) {
    const AttentionExtents e(args);
    const AttentionOperands<T> in(args, e);
    const Gradients<T> given = given_gradients<T>(args, context);
    const auto grid = [&](unsigned tiles) { return dim3(static_cast<unsigned>(e.batch * e.heads * tiles)); };
    with_dropout(args.dropout, e, [&](const auto& dropout) {
        using Dropout = std::decay_t<decltype(dropout)>;
        with_width(e, [&](auto width) {
            using Queries = QueryTile<width.value>;
            using Keys = KeyTile<width.value>;
            const unsigned query_tiles = tiles_of(e.queries, Queries::rows), key_tiles = tiles_of(e.keys, Keys::rows);
            launch(key_gradients_mma<T, Keys, Dropout>, grid(key_tiles), dim3(Keys::threads),
                   shared_bytes<T, Keys> + column_bytes<Keys>, context, in, given, args.dkey.as<T>(),
                   args.dvalue.as<T>(), key_tiles, dropout);
            launch(query_gradients_mma<T, Queries, Dropout>, grid(query_tiles), dim3(Queries::threads),
                   shared_bytes<T, Queries>, context, in, given, args.dquery.as<T>(), query_tiles, dropout);
        });
    });
}

}  // namespace

void register_attention_mma_backward() {
    attention_backward().add({.name = "native_mma",
                              .device = backend,
                              .priority = mma_priority,
                              .supports = supports,
                              .workspace_bytes = gradients_workspace,
                              .run = [](const AttentionBackward& args, KernelContext& context) {
                                  with_half(args.query.dtype,
                                            [&](auto zero) { run_of<decltype(zero)>(args, context); });
                              }});
}

HEDDLE_KERNELS_END
