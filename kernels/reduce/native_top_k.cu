#include <limits>

#include "kernels/native_registry.h"
#include "kernels/reduce/native_keys.h"
#include "kernels/reduce/reduce.h"
#include "kernels/simt/native.h"

// Each element has a key that orders as the contract says and a rank that falls with its place, so that no two elements
// of a row are equal and every step below has one possible result.
//   select: a block a row finds the k-th largest by counting digits of 8 bits, the highest first (a radix selection),
//           and collects the k elements. It reads the row once a digit and once more, mostly from cache.
//   sort:   the collected ones are sorted (bitonic, Batcher 1968), in shared memory where they fit, else in the
//           workspace by one launch a step.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int block_threads = 256, digits = 256;  // a thread a digit
constexpr int tile = 1024;                        // elements that are sorted in shared memory

/// What is sorted, in two arrays. The rank of place i is n - i, at least 1; key 0 and rank 0 fill up and come last.
template <class Key>
struct Ranked {
    Key* key;
    std::uint32_t* rank;

    __device__ bool precedes(std::int64_t a, std::int64_t b) const {
        return key[a] != key[b] ? key[a] > key[b] : rank[a] > rank[b];
    }
    __device__ void swap(std::int64_t a, std::int64_t b) const {
        const Key k = key[a];
        key[a] = key[b];
        key[b] = k;
        const std::uint32_t r = rank[a];
        rank[a] = rank[b];
        rank[b] = r;
    }
    /// One comparison of a bitonic network: pair number `pair` of the step with this `stride`, inside runs of `size`
    /// that fall and rise in turn; `start` is the place of element 0 in the whole.
    __device__ void exchange(std::int64_t pair, std::int64_t stride, std::int64_t size, std::int64_t start) const {
        const std::int64_t low = 2 * pair - (pair & (stride - 1)), high = low + stride;
        const bool falling = ((start + low) & size) == 0;
        if (falling ? precedes(high, low) : precedes(low, high)) swap(low, high);
    }
};

/// The sum of `value` over this thread and those after it. All threads must call it; between two calls the caller has a
/// barrier.
__device__ inline unsigned sum_from_here(unsigned value) {
    HEDDLE_SHARED(unsigned, totals, [block_threads / warp_size]);
    const unsigned lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
    HEDDLE_UNROLL
    for (unsigned offset = 1; offset < warp_size; offset *= 2) {
        const unsigned other = __shfl_down_sync(all_lanes, value, offset);
        if (lane + offset < warp_size) value += other;
    }
    if (lane == 0) totals[warp] = value;
    __syncthreads();
    for (unsigned after = warp + 1; after < block_threads / warp_size; ++after) value += totals[after];
    return value;
}

/// The elements that are selected: those whose masked key and rank are not below these.
template <class Key>
struct Threshold {
    Key key = 0, key_mask = 0;
    std::uint32_t rank = 0, rank_mask = 0;

    __device__ bool meets(Key k, std::uint32_t r) const { return (k & key_mask) == key && (r & rank_mask) == rank; }
    __device__ bool selects(Key k, std::uint32_t r) const {
        return (k & key_mask) != key ? (k & key_mask) > key : (r & rank_mask) >= rank;
    }
};

/// Narrows the threshold digit by digit until exactly k elements are selected. All threads must call it.
template <class T>
__device__ Threshold<KeyOf<T>> find_threshold(const T* x, std::uint32_t n, std::uint32_t k) {
    using Key = KeyOf<T>;
    HEDDLE_SHARED(unsigned, count, [digits]);
    HEDDLE_SHARED(unsigned, found, [3]);  // the digit, how many are wanted from its elements, how many it has
    Threshold<Key> threshold;
    unsigned wanted = k;
    int rank_bytes = 1;
    while (rank_bytes < 4 && n >> (8 * rank_bytes) != 0) ++rank_bytes;
    for (int byte = static_cast<int>(sizeof(Key)) + rank_bytes - 1; byte >= 0; --byte) {
        const bool of_key = byte >= rank_bytes;
        const int shift = 8 * (of_key ? byte - rank_bytes : byte);
        count[threadIdx.x] = 0;
        __syncthreads();
        for (std::uint32_t i = threadIdx.x; i < n; i += block_threads) {
            const Key key = key_of(x[i]);
            const std::uint32_t rank = n - i;
            if (threshold.meets(key, rank)) atomicAdd(&count[of_key ? key >> shift & 0xff : rank >> shift & 0xff], 1u);
        }
        __syncthreads();
        const unsigned own = count[threadIdx.x], from_here = sum_from_here(own), above = from_here - own;
        if (above < wanted && wanted <= from_here) {
            found[0] = threadIdx.x;
            found[1] = wanted - above;
            found[2] = own;
        }
        __syncthreads();
        if (of_key) {
            threshold.key |= static_cast<Key>(found[0]) << shift;
            threshold.key_mask |= static_cast<Key>(0xff) << shift;
        } else {
            threshold.rank |= found[0] << shift;
            threshold.rank_mask |= 0xffu << shift;
        }
        wanted = found[1];
        if (wanted == found[2]) break;  // all elements of this digit
    }
    return threshold;
}

template <class T>
__device__ void write_result(const T* x, std::uint32_t n, std::uint32_t rank, T* value, std::int64_t* index) {
    const std::uint32_t place = n - rank;
    *value = x[place];
    *index = place;
}

/// A block a row. `size`, the power of two from k on: up to `tile` the row is sorted and written, else the selected
/// elements go to `selected`, [rows, size].
template <class T>
__global__ void select_top(const T* x, Ranked<KeyOf<T>> selected, T* values, std::int64_t* indices, std::uint32_t n,
                           std::uint32_t k, std::uint32_t size) {
    using Key = KeyOf<T>;
    HEDDLE_SHARED(Key, keys, [tile]);
    HEDDLE_SHARED(std::uint32_t, ranks, [tile]);
    HEDDLE_SHARED(unsigned, taken, [1]);
    const std::int64_t row = blockIdx.x;
    x += row * n;
    const bool here = size <= tile;
    Ranked<Key> to{keys, ranks};
    if (!here) to = {selected.key + row * size, selected.rank + row * size};
    for (std::uint32_t i = k + threadIdx.x; i < size; i += block_threads) {
        to.key[i] = 0;
        to.rank[i] = 0;
    }
    if (threadIdx.x == 0) taken[0] = 0;
    Threshold<Key> threshold;                        // selects all
    if (k < n) threshold = find_threshold(x, n, k);  // has barriers between taken = 0 and its use
    for (std::uint32_t i = threadIdx.x; i < n; i += block_threads) {
        const Key key = key_of(x[i]);
        if (!threshold.selects(key, n - i)) continue;
        const unsigned at = k < n ? atomicAdd(&taken[0], 1u) : i;
        to.key[at] = key;
        to.rank[at] = n - i;
    }
    if (!here) return;  // the same for all threads
    for (std::uint32_t run = 2; run <= size; run *= 2)
        for (std::uint32_t stride = run / 2; stride > 0; stride /= 2) {
            __syncthreads();
            for (std::uint32_t pair = threadIdx.x; pair < size / 2; pair += block_threads)
                to.exchange(pair, stride, run, 0);
        }
    __syncthreads();
    for (std::uint32_t i = threadIdx.x; i < k; i += block_threads)
        write_result(x, n, ranks[i], &values[row * k + i], &indices[row * k + i]);
}

/// Steps of the network that stay inside tiles: runs from `first_run` to `last_run`. Rows are powers of two above
/// `tile`, so that a tile lies in one row; the parity of runs is that of the place in the row.
template <class Key>
__global__ void sort_tiles(Ranked<Key> all, std::int64_t first_run, std::int64_t last_run, std::int64_t row_size) {
    HEDDLE_SHARED(Key, keys, [tile]);
    HEDDLE_SHARED(std::uint32_t, ranks, [tile]);
    const Ranked<Key> here{keys, ranks};
    const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * tile;
    for (int i = static_cast<int>(threadIdx.x); i < tile; i += block_threads) {
        keys[i] = all.key[start + i];
        ranks[i] = all.rank[start + i];
    }
    for (std::int64_t run = first_run; run <= last_run; run *= 2)
        for (std::int64_t stride = (run < tile ? run : tile) / 2; stride > 0; stride /= 2) {
            __syncthreads();
            for (int pair = static_cast<int>(threadIdx.x); pair < tile / 2; pair += block_threads)
                here.exchange(pair, stride, run, start % row_size);
        }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < tile; i += block_threads) {
        all.key[start + i] = keys[i];
        all.rank[start + i] = ranks[i];
    }
}

/// One step across tiles, a thread a pair.
template <class Key>
__global__ void sort_step(Ranked<Key> all, std::int64_t run, std::int64_t stride, std::int64_t row_size) {
    const std::int64_t pair = static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x;
    const std::int64_t start = pair / (row_size / 2) * row_size;
    const Ranked<Key> row{all.key + start, all.rank + start};
    row.exchange(pair % (row_size / 2), stride, run, 0);
}

template <class T>
__global__ void write_sorted(const T* x, const std::uint32_t* ranks, T* values, std::int64_t* indices, std::uint32_t n,
                             std::uint32_t k, std::uint32_t size, std::int64_t count) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x;
    if (i >= count) return;
    const std::int64_t row = i / k;
    write_result(x + row * n, n, ranks[row * size + i % k], &values[i], &indices[i]);
}

struct Sizes {
    std::int64_t rows, n, k, padded;
};

Sizes sizes(const TopK& args) {
    const Shape& shape = args.x.shape;
    Sizes s{shape.elements(0, shape.rank() - 1), shape.back(), args.k, 1};
    while (s.padded < s.k) s.padded *= 2;
    return s;
}

std::size_t workspace(const TopK& args) {
    const Sizes s = sizes(args);
    if (s.padded <= tile) return 0;
    const std::size_t key = args.x.dtype == DType::i64 ? 8 : 4;
    return static_cast<std::size_t>(s.rows * s.padded) * (key + sizeof(std::uint32_t));
}

template <class T>
void find_top(const TopK& args, KernelContext& context) {
    using Key = KeyOf<T>;
    const Sizes s = sizes(args);
    if (s.k == 0) return;
    const std::int64_t total = s.rows * s.padded;
    auto* keys = static_cast<Key*>(context.workspace);
    const Ranked<Key> selected{keys, reinterpret_cast<std::uint32_t*>(keys + total)};
    const auto n = static_cast<std::uint32_t>(s.n), k = static_cast<std::uint32_t>(s.k),
               size = static_cast<std::uint32_t>(s.padded);
    const T* x = args.x.as<T>();
    T* values = args.values.as<T>();
    auto* indices = args.indices.as<std::int64_t>();
    const dim3 block(block_threads);
    launch(select_top<T>, dim3(static_cast<unsigned>(s.rows)), block, 0, context, x, selected, values, indices, n, k,
           size);
    if (s.padded <= tile) return;
    const dim3 tiles(static_cast<unsigned>(total / tile)), pairs(static_cast<unsigned>(total / 2 / block_threads));
    launch(sort_tiles<Key>, tiles, block, 0, context, selected, 2, tile, s.padded);
    for (std::int64_t run = 2 * tile; run <= s.padded; run *= 2) {
        for (std::int64_t stride = run / 2; stride >= tile; stride /= 2)
            launch(sort_step<Key>, pairs, block, 0, context, selected, run, stride, s.padded);
        launch(sort_tiles<Key>, tiles, block, 0, context, selected, run, run, s.padded);
    }
    const std::int64_t count = s.rows * s.k;
    launch(write_sorted<T>, dim3(static_cast<unsigned>((count + block_threads - 1) / block_threads)), block, 0, context,
           x, selected.rank, values, indices, n, k, size, count);
}

void run(const TopK& args, KernelContext& context) {
    if (args.x.dtype == DType::i32) return find_top<std::int32_t>(args, context);
    if (args.x.dtype == DType::i64) return find_top<std::int64_t>(args, context);
    with_floating(args.x.dtype, [&](auto zero) { find_top<decltype(zero)>(args, context); });
}

Support supports(const TopK& args) {
    if (args.x.shape.back() > std::numeric_limits<std::int32_t>::max())
        return Support::no("rows of more than 2^31 - 1 elements");
    return floating_or_integer(args.x.dtype);
}

}  // namespace

void register_top_k() {
    top_k().add({.name = "native",
                 .device = backend,
                 .priority = priority::plain,
                 .supports = supports,
                 .workspace_bytes = workspace,
                 .run = run});
}

HEDDLE_KERNELS_END
