#pragma once

#include <cstring>
#include <initializer_list>

#include "kernels/attention/native_tile.h"

// Building blocks of the kernels on tensor cores (after FlashAttention-2, Dao 2023, arXiv:2307.08691). A block keeps
// some rows (queries, or keys) and iterates over tiles of the other side, while the next tile is being copied.
// Products of the two stay in registers: the result of one product, rounded to 16 bits, has the layout of the left
// operand of the next one (simt/matrix.h describes the layouts). All sums are f32.
HEDDLE_KERNELS_BEGIN

/// Four warps keep 16 * row_blocks rows each, and iterate over the others in tiles of `columns`. In shared memory all
/// rows have `width` numbers, with zeros beyond the size of a head, and are `pitch` apart: padded by 16 bytes, so that
/// the same 16 bytes of eight rows are in eight different groups of banks.
template <int width_, int row_blocks_, int columns_>
struct MmaTile {
    static constexpr int threads = 4 * warp_size;
    static constexpr int width = width_, pitch = width + 8, row_blocks = row_blocks_, columns = columns_;
    static constexpr int warp_rows = 16 * row_blocks, rows = 4 * warp_rows;
    static constexpr int kept_elements = rows * pitch, walked_elements = columns * pitch;

    using Products = float[row_blocks][columns / 8][4];  ///< of a warp's rows with those of a tile
    using Sums = float[row_blocks][width / 8][4];        ///< of weighted rows
};

/// Which elements a lane holds: of block (i, j), 16 x 8, element 2 * part + e is in row row(i, part) of the rows that
/// the thread block keeps, and in column column(j) + e; part and e are 0 or 1.
template <class Tile>
struct LanePlace {
    int lane = static_cast<int>(threadIdx.x) % warp_size;
    int first_row = static_cast<int>(threadIdx.x) / warp_size * Tile::warp_rows;  ///< of the warp

    __device__ int row(int i, int part) const { return first_row + i * 16 + part * 8 + lane / 4; }
    __device__ int column(int j) const { return j * 8 + lane % 4 * 2; }
};

/// Calls body(i, part, j, e) for all elements of blocks that lie `blocks` side by side.
template <class Tile, int blocks, class Body>
__device__ inline void for_each_element(const Body& body) {
    HEDDLE_UNROLL
    for (int i = 0; i < Tile::row_blocks; ++i) {
        HEDDLE_UNROLL
        for (int part = 0; part < 2; ++part) {
            HEDDLE_UNROLL
            for (int j = 0; j < blocks; ++j) {
                HEDDLE_UNROLL
                for (int e = 0; e < 2; ++e) body(i, part, j, e);
            }
        }
    }
}

/// Starts to copy `rows` rows from `first` on of a head to shared memory; zeros beyond its rows and columns.
template <class Tile, int rows, class T>
__device__ inline void copy_rows(const T* data, const TilePlace& place, int times, int heads, int size, int first,
                                 T* tile) {
    constexpr int chunks = Tile::width / 8, step = Tile::threads / chunks;
    static_assert(rows % step == 0);
    const int chunk = static_cast<int>(threadIdx.x) % chunks, first_row = static_cast<int>(threadIdx.x) / chunks;
    const int end = chunk * 8 < size ? times - first : 0;
    const T* from = row_of(data, place, times, heads, size, first + first_row) + chunk * 8;
    const std::int64_t from_step = static_cast<std::int64_t>(step) * heads * size;
#pragma unroll 1  // unrolled, the compiler keeps an address for each copy, and runs out of registers
    for (int row = first_row; row < rows; row += step, from += from_step)
        copy_async_16(tile + row * Tile::pitch + chunk * 8, row < end ? from : data, row < end);
}

/// 16 x 16 elements of a shared tile. As a left operand: `down_first`. As a right one whose columns are the rows of the
/// tile: not; as a right one whose columns are those of the tile: `down_first` and transposed.
template <class Tile, bool down_first, bool transposed, class T>
__device__ inline void load_fragment(std::uint32_t (&fragment)[4], const T* tile, int row, int column) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size, low = lane / 8 % 2 * 8, high = lane / 16 * 8;
    row += lane % 8 + (down_first ? low : high);
    column += down_first ? high : low;
    load_matrix_x4<transposed>(fragment, tile + row * Tile::pitch + column);
}

/// sums += left times the 16 columns of `right`.
template <class T>
__device__ inline void multiply_add_16(float (&low)[4], float (&high)[4], const std::uint32_t (&left)[4],
                                       const std::uint32_t (&right)[4]) {
    const std::uint32_t first[2] = {right[0], right[1]}, second[2] = {right[2], right[3]};
    matrix_multiply_add<T>(low, left, first);
    matrix_multiply_add<T>(high, left, second);
}

/// products = the warp's rows of `kept`, times all rows of `walked`. All lanes must call it.
template <class Tile, class T>
__device__ inline void multiply_kept(const T* kept, const T* walked, typename Tile::Products& products) {
    const LanePlace<Tile> lane;
    for_each_element<Tile, Tile::columns / 8>([&](int i, int part, int j, int e) { products[i][j][2 * part + e] = 0; });
    HEDDLE_UNROLL
    for (int k = 0; k < Tile::width; k += 16) {
        std::uint32_t left[Tile::row_blocks][4];
        HEDDLE_UNROLL
        for (int i = 0; i < Tile::row_blocks; ++i)
            load_fragment<Tile, true, false>(left[i], kept, lane.first_row + i * 16, k);
        HEDDLE_UNROLL
        for (int j = 0; j < Tile::columns / 8; j += 2) {
            std::uint32_t right[4];
            load_fragment<Tile, false, false>(right, walked, j * 8, k);
            HEDDLE_UNROLL
            for (int i = 0; i < Tile::row_blocks; ++i)
                multiply_add_16<T>(products[i][j], products[i][j + 1], left[i], right);
        }
    }
}

/// Two numbers in a register, as fragments have them.
template <class T>
__device__ inline std::uint32_t pack(float low, float high) {
    std::uint32_t bits;
    if constexpr (std::is_same_v<T, __half>) {
        const __half2 pair = __floats2half2_rn(low, high);
        std::memcpy(&bits, &pair, sizeof(bits));
    } else {
        const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
        std::memcpy(&bits, &pair, sizeof(bits));
    }
    return bits;
}

/// sums += weights, rounded to T, times the rows of `walked`. All lanes must call it.
template <class Tile, class T>
__device__ inline void add_weighted(const typename Tile::Products& weights, const T* walked,
                                    typename Tile::Sums& sums) {
    HEDDLE_UNROLL
    for (int k = 0; k < Tile::columns / 8; k += 2) {
        std::uint32_t left[Tile::row_blocks][4];
        HEDDLE_UNROLL
        for (int i = 0; i < Tile::row_blocks; ++i) {
            HEDDLE_UNROLL
            for (int f = 0; f < 4; ++f) {
                const float* two = weights[i][k + f / 2] + f % 2 * 2;
                left[i][f] = pack<T>(two[0], two[1]);
            }
        }
        HEDDLE_UNROLL
        for (int n = 0; n < Tile::width / 8; n += 2) {
            std::uint32_t right[4];
            load_fragment<Tile, true, true>(right, walked, k * 8, n * 8);
            HEDDLE_UNROLL
            for (int i = 0; i < Tile::row_blocks; ++i) multiply_add_16<T>(sums[i][n], sums[i][n + 1], left[i], right);
        }
    }
}

/// factor * sums, to the rows of a head that the block keeps; nothing beyond its rows and columns.
template <class Tile, class T>
__device__ inline void store_rows(const typename Tile::Sums& sums, float factor, T* data, const TilePlace& place,
                                  int times, int heads, int size) {
    const LanePlace<Tile> lane;
    HEDDLE_UNROLL
    for (int i = 0; i < Tile::row_blocks; ++i) {
        HEDDLE_UNROLL
        for (int part = 0; part < 2; ++part) {
            const int time = place.first + lane.row(i, part);
            if (time >= times) continue;
            T* const row = row_of(data, place, times, heads, size, time);
            HEDDLE_UNROLL
            for (int n = 0; n < Tile::width / 8; ++n) {
                const float* two = sums[i][n] + part * 2;
                if (lane.column(n) < size)
                    store_vector(row + lane.column(n),
                                 Vector<T, 2>{{from_f32<T>(factor * two[0]), from_f32<T>(factor * two[1])}});
            }
        }
    }
}

/// The place of a block that keeps queries. With a causal mask the last queries have the most keys: their blocks,
/// which take the longest, start first.
template <class Tile, class T>
__device__ inline TilePlace place_of_queries(const AttentionOperands<T>& in, unsigned tiles) {
    TilePlace place = tile_place<Tile::rows>(tiles, in.heads);
    if (in.causal) place.first = static_cast<int>(tiles - 1) * Tile::rows - place.first;
    return place;
}

/// How many keys some of the `rows` queries from `first` on may see, masks aside.
template <class T>
__device__ inline int seen_by_any(const AttentionOperands<T>& in, int first, int rows) {
    if (first >= in.queries) return 0;
    return in.seen_by(first + rows < in.queries ? first + rows - 1 : in.queries - 1);
}

/// The keys and values that a block of queries iterates over: a tile of each in one of the two buffers of `walked`,
/// while the next tiles are copied to the other. All threads must take part.
template <class Tile, class T>
struct KeyWalk {
    const AttentionOperands<T>& in;
    const TilePlace& place;
    T* const walked;
    const int first_row = LanePlace<Tile>{}.first_row;
    const int seen = seen_by_any(in, place.first, Tile::rows),
              seen_by_warp = seen_by_any(in, place.first + first_row, Tile::warp_rows);

    /// Starts the first copy, as one with those that were started before.
    __device__ void begin() const {
        if (seen > 0) copy(0, walked);
        copy_async_commit();
    }

    /// Calls body(first key, keys), the values behind the keys, for the tiles that some query of the warp may see.
    template <class Body>
    __device__ void for_each_tile(const Body& body) const {
        int stage = 0;
        for (int first_key = 0; first_key < seen; first_key += Tile::columns, stage ^= 1) {
            copy_async_wait<0>();
            __syncthreads();  // the tile is there, and everyone is done with the one whose place the next one takes
            if (first_key + Tile::columns < seen)
                copy(first_key + Tile::columns, walked + (stage ^ 1) * 2 * Tile::walked_elements);
            copy_async_commit();
            if (first_key < seen_by_warp) body(first_key, walked + stage * 2 * Tile::walked_elements);
        }
    }

  private:
    __device__ void copy(int first_key, T* keys) const {
        copy_rows<Tile, Tile::columns>(in.key, place, in.keys, in.heads, in.size, first_key, keys);
        copy_rows<Tile, Tile::columns>(in.value, place, in.keys, in.heads, in.value_size, first_key,
                                       keys + Tile::walked_elements);
    }
};

/// Of the products of kept queries with the keys from `first_key` on, sets those that do not count to `value`.
template <class Tile, class T>
__device__ inline void hide_keys(const AttentionOperands<T>& in, const TilePlace& place, int first_key, float value,
                                 typename Tile::Products& products) {
    const LanePlace<Tile> lane;
    if (!in.mask && first_key + Tile::columns <= in.seen_by(place.first + lane.first_row)) return;
    int seen[Tile::row_blocks][2];
    HEDDLE_UNROLL
    for (int i = 0; i < Tile::row_blocks; ++i) {
        HEDDLE_UNROLL
        for (int part = 0; part < 2; ++part) seen[i][part] = in.seen_by(place.first + lane.row(i, part));
    }
    HEDDLE_UNROLL
    for (int j = 0; j < Tile::columns / 8; ++j) {
        HEDDLE_UNROLL
        for (int e = 0; e < 2; ++e) {
            const int key = first_key + lane.column(j) + e;
            const bool masked = key < in.keys && in.masked(place.batch, key);
            HEDDLE_UNROLL
            for (int i = 0; i < Tile::row_blocks; ++i) {
                HEDDLE_UNROLL
                for (int part = 0; part < 2; ++part)
                    if (masked || key >= seen[i][part]) products[i][j][2 * part + e] = value;
            }
        }
    }
}

/// Which weights of the lane dropout keeps. The stream's offset is read anew for each tile: kept, it would cost
/// registers that some kernels do not have.
template <class Tile, class Dropout>
class LaneDropout {
  public:
    __device__ LaneDropout(const Dropout& dropout, const TilePlace& place, int heads)
        : dropout_(dropout), place_(place), head_(static_cast<unsigned>(place.batch * heads + place.head)) {}

    /// Calls body(i, part, j, e, keep) for all elements of the products of kept queries with the keys from `first_key`
    /// on, a multiple of 32. Without dropout: in the order of `for_each_element`.
    template <class Body>
    __device__ void for_each_of_queries(int first_key, const Body& body) const {
        if constexpr (Dropout::drops) {
            static_assert(Tile::columns % 32 == 0);
            const std::uint64_t offset = dropout_.offset();
            HEDDLE_UNROLL
            for (int i = 0; i < Tile::row_blocks; ++i) {
                const unsigned row = dropout_.row(head_, static_cast<unsigned>(place_.first + lane_.row(i, 0)));
                HEDDLE_UNROLL
                for (int j = 0; j < Tile::columns / 8; j += 4) {
                    HEDDLE_UNROLL
                    for (int e = 0; e < 2; ++e) {
                        const auto key = static_cast<unsigned>(first_key + lane_.column(j) + e);
                        const Philox::Block bits = dropout_.bits(offset, row, dropout_.column(key));
                        HEDDLE_UNROLL
                        for (int m = 0; m < 4; ++m) {
                            body(i, 0, j + m, e, dropout_.keeps(bits.word[m], false));
                            body(i, 1, j + m, e, dropout_.keeps(bits.word[m], true));
                        }
                    }
                }
            }
        } else {
            for_each_element<Tile, Tile::columns / 8>(
                [&](int i, int part, int j, int e) { body(i, part, j, e, true); });
        }
    }

    /// The same for the products of kept keys with the queries from `first_query` on, a multiple of 16. (With one block
    /// of rows a lane has half of the keys of a Philox block.)
    template <class Body>
    __device__ void for_each_of_keys(int first_query, const Body& body) const {
        static_assert(Dropout::drops && Tile::columns % 16 == 0 && Tile::row_blocks <= 2);
        const std::uint64_t offset = dropout_.offset();
        const unsigned column = dropout_.column(static_cast<unsigned>(place_.first + lane_.row(0, 0)));
        const bool second_half = lane_.first_row % 32 != 0;
        HEDDLE_UNROLL
        for (int j = 0; j < Tile::columns / 8; j += 2) {
            HEDDLE_UNROLL
            for (int e = 0; e < 2; ++e) {
                const auto query = static_cast<unsigned>(first_query + lane_.column(j) + e);
                const Philox::Block bits = dropout_.bits(offset, dropout_.row(head_, query), column);
                HEDDLE_UNROLL
                for (int i = 0; i < Tile::row_blocks; ++i) {
                    HEDDLE_UNROLL
                    for (int part = 0; part < 2; ++part) {
                        const std::uint32_t word =
                            Tile::row_blocks == 1 && second_half ? bits.word[2 + part] : bits.word[2 * i + part];
                        body(i, part, j, e, dropout_.keeps(word, false));
                        body(i, part, j + 1, e, dropout_.keeps(word, true));
                    }
                }
            }
        }
    }

  private:
    const Dropout& dropout_;
    const TilePlace& place_;
    LanePlace<Tile> lane_;
    unsigned head_;
};

/// Calls body(T{}) with T = __half or __nv_bfloat16.
template <class Body>
void with_half(DType dtype, const Body& body) {
    dtype == DType::f16 ? body(__half{}) : body(__nv_bfloat16{});
}

/// Copies are of 16 bytes, each within a row.
template <class Args>
Support mma_supports(const Args& args, std::initializer_list<const View*> operands) {
    if (const Support support = attention_supports(args); !support) return support;
    if (size_of(args.query.dtype) != 2) return Support::no("dtype f32 (tensor cores take f16 and bf16)");
    const AttentionExtents e(args);
    if (e.size % 8 != 0 || e.value_size % 8 != 0)
        return Support::no("heads of " + std::to_string(e.size) + " and " + std::to_string(e.value_size) +
                           " numbers (multiples of 8)");
    for (const View* operand : operands)
        if (!is_aligned(operand->data)) return Support::no("an operand that is not aligned to 16 bytes");
    return Support::yes();
}

/// Above the kernels with plain FMAs: neither has run on a GPU, and this one does the same work on faster units.
inline constexpr int mma_priority = priority::plain + 1;
inline constexpr float log2_of_e = 1.44269504088896340736f;

HEDDLE_KERNELS_END
