#include "kernels/attention/native_mma.h"
#include "kernels/native_registry.h"

// FlashAttention-2's forward step (Dao 2023, arXiv:2307.08691) for f16 and bf16: a block keeps 128 queries and iterates
// over the keys; scores, weights and sums stay in registers, and the four lanes that hold a row share its running
// maximum. Weights are rounded to 16 bits before they are multiplied by the values; their sum is not.
//
// Floor: 4 * queries * keys * size operations per head (half of it if causal); memory: queries and output once, keys
// and values once for every 128 queries, mostly from the L2 cache. Inside a multiprocessor of an H100 a warp loads a
// fragment (4 cycles of shared memory) for 3.2 products (2.7 in heads of more than 64), which take 3.2 cycles at the
// full rate of the tensor cores and about 5 by mma.sync; with heads of 64 a tile's exponentials take 128 cycles, and
// its products about 200. Two blocks fit (164 to 245 registers, 31 to 70 KB). Estimate: a third of the dense rate for
// heads of 64, two fifths for 128; not measured.
HEDDLE_KERNELS_BEGIN
namespace {

/// 64 keys with heads of 128 would need more registers than there are.
template <int width>
using ForwardTile = MmaTile<width, 2, width <= 64 ? 64 : 32>;

template <class T, class Tile>
constexpr std::size_t shared_bytes = (Tile::kept_elements + 4 * Tile::walked_elements) * sizeof(T);

/// Weights in place of the scores (in powers of two); rescales what was summed up under a lower maximum.
template <class Tile>
__device__ inline void to_weights(typename Tile::Products& scores, float (&largest)[Tile::row_blocks][2],
                                  float (&sum)[Tile::row_blocks][2], typename Tile::Sums& sums) {
    float shift[Tile::row_blocks][2], rescale[Tile::row_blocks][2];
    HEDDLE_UNROLL
    for (int i = 0; i < Tile::row_blocks; ++i) {
        HEDDLE_UNROLL
        for (int part = 0; part < 2; ++part) {
            float most = largest[i][part];
            HEDDLE_UNROLL
            for (int j = 0; j < Tile::columns / 8; ++j)
                most = Max{}(most, Max{}(scores[i][j][2 * part], scores[i][j][2 * part + 1]));
            most = warp_reduce<4>(most, Max{});
            // Before any key was seen there is nothing to rescale, and the difference of infinities would be NaN.
            shift[i][part] = most == -INFINITY ? 0.0f : most;
            rescale[i][part] = exp2f(largest[i][part] - shift[i][part]);
            largest[i][part] = most;
            sum[i][part] *= rescale[i][part];
        }
    }
    for_each_element<Tile, Tile::columns / 8>([&](int i, int part, int j, int e) {
        float& weight = scores[i][j][2 * part + e];
        weight = exp2f(weight - shift[i][part]);
        sum[i][part] += weight;
    });
    for_each_element<Tile, Tile::width / 8>(
        [&](int i, int part, int n, int e) { sums[i][n][2 * part + e] *= rescale[i][part]; });
}

template <class T, class Tile, class Dropout>
__global__ void __launch_bounds__(Tile::threads)
    attend_mma(const __grid_constant__ AttentionOperands<T> in, T* output, float* log_sums, unsigned tiles,
               const __grid_constant__ Dropout dropout) {
    HEDDLE_SHARED_DYNAMIC(T, shared);
    T* const queries = shared;
    T* const walked = shared + Tile::kept_elements;  // keys and values of two tiles
    const TilePlace place = place_of_queries<Tile>(in, tiles);
    const LanePlace<Tile> lane;
    const LaneDropout<Tile, Dropout> kept(dropout, place, in.heads);
    const KeyWalk<Tile, T> walk{in, place, walked};
    if (walk.seen > 0) {
        copy_rows<Tile, Tile::rows>(in.query, place, in.queries, in.heads, in.size, place.first, queries);
    }
    walk.begin();

    const float scale = in.scale * log2_of_e;
    float largest[Tile::row_blocks][2], sum[Tile::row_blocks][2];  // a sum: of the lane's own columns
    typename Tile::Sums sums;
    for_each_element<Tile, Tile::width / 8>([&](int i, int part, int n, int e) {
        sums[i][n][2 * part + e] = 0;
        largest[i][part] = -INFINITY;
        sum[i][part] = 0;
    });
    walk.for_each_tile([&](int first_key, const T* keys) {
        typename Tile::Products scores;
        multiply_kept<Tile>(queries, keys, scores);
        for_each_element<Tile, Tile::columns / 8>(
            [&](int i, int part, int j, int e) { scores[i][j][2 * part + e] *= scale; });
        hide_keys<Tile>(in, place, first_key, -INFINITY, scores);
        to_weights<Tile>(scores, largest, sum, sums);
        kept.for_each_of_queries(first_key, [&](int i, int part, int j, int e, bool keep) {
            if (!keep) scores[i][j][2 * part + e] = 0;
        });
        add_weighted<Tile>(scores, keys + Tile::walked_elements, sums);
    });

    HEDDLE_UNROLL
    for (int i = 0; i < Tile::row_blocks; ++i) {
        HEDDLE_UNROLL
        for (int part = 0; part < 2; ++part) {
            const float total = warp_reduce<4>(sum[i][part], Sum{}),
                        factor = total == 0 ? 0.0f : dropout.factor / total;
            HEDDLE_UNROLL
            for (int n = 0; n < Tile::width / 8; ++n) {
                sums[i][n][2 * part] *= factor;
                sums[i][n][2 * part + 1] *= factor;
            }
            const int query = place.first + lane.row(i, part);
            if (lane.lane % 4 == 0 && query < in.queries)
                row_numbers(log_sums, place, in.queries, in.heads)[query] =
                    total == 0 ? 0.0f : largest[i][part] / log2_of_e + logf(total);
        }
    }
    store_rows<Tile>(sums, 1, output, place, in.queries, in.heads, in.value_size);
}

Support supports(const AttentionForward& args) {
    return mma_supports(args, {&args.query, &args.key, &args.value, &args.output});
}

void run(const AttentionForward& args, KernelContext& context) {
    const AttentionExtents e(args);
    with_half(args.query.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_dropout(args.dropout, e, [&](const auto& dropout) {
            using Dropout = std::decay_t<decltype(dropout)>;
            with_width(e, [&](auto width) {
                using Tile = ForwardTile<width.value>;
                const unsigned tiles = tiles_of(e.queries, Tile::rows);
                launch(attend_mma<T, Tile, Dropout>, dim3(static_cast<unsigned>(e.batch * e.heads * tiles)),
                       dim3(Tile::threads), shared_bytes<T, Tile>, context, AttentionOperands<T>(args, e),
                       args.output.as<T>(), args.log_sums.as<float>(), tiles, dropout);
            });
        });
    });
}

}  // namespace

void register_attention_mma_forward() {
    attention_forward().add(
        {.name = "native_mma", .device = backend, .priority = mma_priority, .supports = supports, .run = run});
}

HEDDLE_KERNELS_END
