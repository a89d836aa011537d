#pragma once

#include <limits>

#include "kernels/attention/dropout.h"
#include "kernels/attention/extents.h"
#include "kernels/simt/native.h"

// Building blocks of the kernels with plain FMAs. A block of 16 x 16 threads holds a tile of 64 queries by 64 keys:
// thread (x, y) has the rows y + 16 i and the columns x + 16 j, i and j from 0 to 3. So half a warp shares its rows,
// and what it reads of a row of shared memory is in 16 neighbouring banks.
HEDDLE_KERNELS_BEGIN

inline constexpr int tile_rows = 64, tile_side = 16, per_thread = tile_rows / tile_side;
inline constexpr int tile_threads = tile_side * tile_side;
inline constexpr int weight_pitch = tile_rows + 1;
/// Rows of `width` numbers in shared memory, padded by one, so that the elements of a column are in different banks.
template <int width>
inline constexpr int row_pitch = width + 1;

/// The arguments of all kernels. Addresses are those of element 0.
template <class T>
struct AttentionOperands {
    const T *query, *key, *value;
    const std::uint8_t* mask;  ///< or null
    int queries, keys, heads, size, value_size;
    bool causal;
    float scale;

    template <class Args>
    AttentionOperands(const Args& args, const AttentionExtents& e)
        : query(args.query.template as<const T>()),
          key(args.key.template as<const T>()),
          value(args.value.template as<const T>()),
          mask(args.mask ? args.mask.template as<const std::uint8_t>() : nullptr),
          queries(static_cast<int>(e.queries)),
          keys(static_cast<int>(e.keys)),
          heads(static_cast<int>(e.heads)),
          size(static_cast<int>(e.size)),
          value_size(static_cast<int>(e.value_size)),
          causal(e.causal),
          scale(args.scale) {}

    /// How many keys a query may see, masks aside; and the first query that may see a key.
    __device__ int seen_by(int q) const {
        if (!causal) return keys;
        const int seen = q + keys - queries + 1;
        return seen < 0 ? 0 : (seen < keys ? seen : keys);
    }
    __device__ int first_that_sees(int k) const {
        const int first = k - (keys - queries);
        return causal && first > 0 ? first : 0;
    }
    __device__ bool masked(int batch, int k) const {
        return mask && mask[static_cast<std::int64_t>(batch) * keys + k] == 0;
    }
    __device__ bool sees(int batch, int q, int k) const { return q < queries && k < seen_by(q) && !masked(batch, k); }
};

/// Which head of which sequence a block works on, and the first row of its tile.
struct TilePlace {
    int batch, head, first;
};
template <int rows = tile_rows>
__device__ inline TilePlace tile_place(unsigned tiles, int heads) {
    const int task = static_cast<int>(blockIdx.x / tiles), tile = static_cast<int>(blockIdx.x % tiles);
    return {task / heads, task % heads, tile * rows};
}
inline unsigned tiles_of(std::int64_t times, int rows = tile_rows) {
    return static_cast<unsigned>((times + rows - 1) / rows);
}

/// Element 0 of the row `time` of a head of [batch, time, heads, size].
template <class T>
__device__ inline T* row_of(T* data, const TilePlace& place, int times, int heads, int size, int time) {
    return data + ((static_cast<std::int64_t>(place.batch) * times + time) * heads + place.head) * size;
}

/// A head's numbers in [batch, heads, time].
template <class T>
__device__ inline T* row_numbers(T* data, const TilePlace& place, int times, int heads) {
    return data + (static_cast<std::int64_t>(place.batch) * heads + place.head) * times;
}

/// The rows from `first` on of a head, in f32; zeros beyond its rows and columns.
template <int width, class T>
__device__ inline void load_tile(const T* data, const TilePlace& place, int times, int heads, int size, int first,
                                 float* tile) {
    const int thread = static_cast<int>(threadIdx.x + threadIdx.y * tile_side);
    for (int i = thread; i < tile_rows * width; i += tile_threads) {
        const int row = i / width, column = i % width;
        const bool inside = first + row < times && column < size;
        tile[row * row_pitch<width> + column] =
            inside ? to_f32(row_of(data, place, times, heads, size, first + row)[column]) : 0.0f;
    }
}

/// c[i][j] = row i of the thread in a, times row j of the thread in b (the columns of the tile).
template <int width>
__device__ inline void multiply_rows(const float* a, const float* b, float (&c)[per_thread][per_thread]) {
    HEDDLE_UNROLL
    for (int i = 0; i < per_thread; ++i) {
        HEDDLE_UNROLL
        for (int j = 0; j < per_thread; ++j) c[i][j] = 0;
    }
    for (int d = 0; d < width; ++d) {
        float left[per_thread], right[per_thread];
        HEDDLE_UNROLL
        for (int i = 0; i < per_thread; ++i) {
            left[i] = a[(static_cast<int>(threadIdx.y) + i * tile_side) * row_pitch<width> + d];
            right[i] = b[(static_cast<int>(threadIdx.x) + i * tile_side) * row_pitch<width> + d];
        }
        HEDDLE_UNROLL
        for (int i = 0; i < per_thread; ++i) {
            HEDDLE_UNROLL
            for (int j = 0; j < per_thread; ++j) c[i][j] += left[i] * right[j];
        }
    }
}

/// The tile of weights that the threads hold, into shared memory.
__device__ inline void store_weights(const float (&weights)[per_thread][per_thread], float* tile) {
    HEDDLE_UNROLL
    for (int i = 0; i < per_thread; ++i) {
        float* row = tile + (static_cast<int>(threadIdx.y) + i * tile_side) * weight_pitch;
        HEDDLE_UNROLL
        for (int j = 0; j < per_thread; ++j) row[static_cast<int>(threadIdx.x) + j * tile_side] = weights[i][j];
    }
}

/// Which weights of a tile, 64 queries by 64 keys, dropout keeps: a byte of shared memory for each Philox block, with
/// bits for the block's four keys of its first query, then of its second one.
template <class Dropout>
class KeptTile {
  public:
    static constexpr int bytes = Dropout::drops ? tile_rows * tile_rows / 8 : 0;

    __device__ KeptTile(const Dropout& dropout, const TilePlace& place, int heads, void* memory)
        : dropout_(dropout),
          head_(static_cast<unsigned>(place.batch * heads + place.head)),
          kept_(static_cast<std::uint8_t*>(memory)) {}

    /// For the tile that begins at a query and a key, multiples of 64. By all threads; `keeps` needs a barrier behind.
    __device__ void draw(int first_query, int first_key) const {
        if constexpr (Dropout::drops) {
            const std::uint64_t offset = dropout_.offset();
            for (unsigned i = threadIdx.x + threadIdx.y * tile_side; i < bytes; i += tile_threads) {
                const unsigned pair = i / 16, column = i % 16;
                const unsigned query = static_cast<unsigned>(first_query) + pair / 8 * 16 + pair % 8,
                               key = static_cast<unsigned>(first_key) + column / 8 * 32 + column % 8;
                const Philox::Block bits = dropout_.bits(offset, dropout_.row(head_, query), dropout_.column(key));
                unsigned kept = 0;
                HEDDLE_UNROLL
                for (int m = 0; m < 4; ++m)
                    kept |= static_cast<unsigned>(dropout_.keeps(bits.word[m], false)) << m |
                            static_cast<unsigned>(dropout_.keeps(bits.word[m], true)) << (4 + m);
                kept_[i] = static_cast<std::uint8_t>(kept);
            }
        }
    }
    __device__ bool keeps(int tile_row, int tile_column) const {
        if constexpr (!Dropout::drops) return true;
        const auto row = static_cast<unsigned>(tile_row), column = static_cast<unsigned>(tile_column);
        const unsigned block = (row / 16 * 8 + row % 8) * 16 + column / 32 * 8 + column % 8;
        return (kept_[block] >> (row / 8 % 2 * 4 + column / 8 % 4) & 1) != 0;
    }

  private:
    const Dropout& dropout_;
    unsigned head_;
    std::uint8_t* kept_;
};

/// sums[i][n] += op(weights) rows: the thread has the rows y + 16 i of the result and its columns x + 16 n.
template <int width, bool transposed>
__device__ inline void add_weighted_rows(const float* weights, const float* rows,
                                         float (&sums)[per_thread][width / tile_side]) {
    for (int k = 0; k < tile_rows; ++k) {
        float row[width / tile_side];
        HEDDLE_UNROLL
        for (int n = 0; n < width / tile_side; ++n)
            row[n] = rows[k * row_pitch<width> + static_cast<int>(threadIdx.x) + n * tile_side];
        HEDDLE_UNROLL
        for (int i = 0; i < per_thread; ++i) {
            const int at = static_cast<int>(threadIdx.y) + i * tile_side;
            const float weight = transposed ? weights[k * weight_pitch + at] : weights[at * weight_pitch + k];
            HEDDLE_UNROLL
            for (int n = 0; n < width / tile_side; ++n) sums[i][n] += weight * row[n];
        }
    }
}

/// The sums of `add_weighted_rows`, to the rows from `first` on of a head; nothing beyond its rows and columns.
template <int width, class T>
__device__ inline void store_sums(const float (&sums)[per_thread][width / tile_side], T* data, const TilePlace& place,
                                  int times, int heads, int size) {
    HEDDLE_UNROLL
    for (int i = 0; i < per_thread; ++i) {
        const int time = place.first + static_cast<int>(threadIdx.y) + i * tile_side;
        if (time >= times) continue;
        HEDDLE_UNROLL
        for (int n = 0; n < width / tile_side; ++n) {
            const int column = static_cast<int>(threadIdx.x) + n * tile_side;
            if (column < size) row_of(data, place, times, heads, size, time)[column] = from_f32<T>(sums[i][n]);
        }
    }
}

/// Calls body(constant) with the width of tiles, which both sizes fit.
template <class Body>
void with_width(const AttentionExtents& e, const Body& body) {
    const std::int64_t widest = e.size > e.value_size ? e.size : e.value_size;
    if (widest <= 32)
        body(std::integral_constant<int, 32>{});
    else if (widest <= 64)
        body(std::integral_constant<int, 64>{});
    else
        body(std::integral_constant<int, 128>{});
}

/// Calls body(dropout) with what drops weights, a `WeightDropout` or a `NoDropout`.
template <class Body>
void with_dropout(const AttentionDropout& dropout, const AttentionExtents& e, const Body& body) {
    WeightDropout::wanted(dropout) ? body(WeightDropout(dropout, e.queries)) : body(NoDropout{});
}

template <class Args>
Support attention_supports(const Args& args) {
    const AttentionExtents e(args);
    if (e.size > 128 || e.value_size > 128)
        return Support::no("heads of " + std::to_string(e.size) + " and " + std::to_string(e.value_size) +
                           " numbers (at most 128)");
    constexpr std::int64_t limit = std::numeric_limits<int>::max() / 2;  // a sum of two is an int
    if (e.batch > limit || e.queries > limit || e.keys > limit) return Support::no("an extent of 2^30 or more");
    if (args.log_sums.dtype != DType::f32)
        return Support::no("sums of dtype " + std::string(to_string(args.log_sums.dtype)) + " (only f32)");
    return floating(args.query.dtype);
}

HEDDLE_KERNELS_END
