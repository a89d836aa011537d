#pragma once

#include <initializer_list>
#include <type_traits>

#include "kernels/simt/global.h"
#include "kernels/simt/groups.h"
#include "kernels/simt/simt.h"

// How threads share dense matrices [rows, length] where each row has sums of its own. A kernel is written once, for a
// `Row` that is one of three kinds; all of them move 16 bytes at a time, but at the edges:
//   KeptRow    a short row of whole vectors: a few lanes have it, and keep it in registers.
//   StagedRow  a short row of any length: those of a block lie together in memory, are copied to shared memory as if
//              they were one row, and the results back; a few lanes work on each.
//   WalkedRow  a long row: a block reads it once for each pass, by vectors between the first and the last address that
//              is aligned. So few rows are under way at once that later passes find them in the first cache.
// A kernel reads arrays as operands (`read`) or finds the row in them (`find`), goes over its columns (`for_columns`),
// reduces (`reduce`), and at last writes (`write_columns`). All threads of a block take part in each, also those that
// have no row (not `inside`).
HEDDLE_KERNELS_BEGIN

struct RowTiles {
    std::int64_t rows = 0, length = 0;
    int width = 1;  ///< lanes of a row that is not walked
    int skew = 0;   ///< elements from the last aligned address to the start of every array; -1: they differ
};

/// V elements of a row as they are computed with.
template <int V>
struct Floats {
    float value[V];

    __device__ float& operator[](int v) { return value[v]; }
    __device__ const float& operator[](int v) const { return value[v]; }
};

/// An operand of `for_columns`: the elements of a row, read anew each time.
template <class T>
struct InMemory {
    const T* data;

    template <int V>
    __device__ Floats<V> at(int, std::int64_t column) const {
        const Vector<T, V> loaded = load_vector<V>(data + column);
        Floats<V> result;
        HEDDLE_UNROLL
        for (int v = 0; v < V; ++v) result[v] = to_f32(loaded[v]);
        return result;
    }
};

/// Lanes of a warp, and their row.
struct RowGroup {
    int lane, width;
    std::int64_t row;
    bool inside;  ///< whether there is such a row
    int length;   ///< 0 where there is none

    __device__ explicit RowGroup(const RowTiles& tiles)
        : lane(static_cast<int>(threadIdx.x) % tiles.width),
          width(tiles.width),
          row(static_cast<std::int64_t>(blockIdx.x) * (static_cast<int>(blockDim.x) / width) +
              static_cast<int>(threadIdx.x) / width),
          inside(row < tiles.rows),
          length(inside ? static_cast<int>(tiles.length) : 0) {}

    /// Whether the thread writes what the row has one of.
    __device__ bool leads() const { return inside && lane == 0; }

    template <class Op>
    __device__ float reduce(float value, Op op, float) const {
        return reduce_group(value, op, width);
    }
};

template <class T>
struct KeptRow : RowGroup {
    static constexpr int threads = 128;                          ///< of a block
    static constexpr int V = vector_width<T>, vectors = 32 / V;  ///< of a lane
    static constexpr std::int64_t longest = 32 * warp_size;
    static constexpr bool keeps = true;  ///< whether later passes find what `for_columns` assigned to an operand

    struct Operand {
        Floats<V> part[vectors];

        template <int>
        __device__ Floats<V>& at(int slot, int) {
            return part[slot];
        }
    };

    using RowGroup::RowGroup;

    __device__ const T* find(const T* data) const { return data + row * length; }
    __device__ Operand read(const T* data) const {
        const InMemory<T> memory{find(data)};
        Operand operand;
        HEDDLE_UNROLL
        for (int slot = 0; slot < vectors; ++slot) {
            const int column = (lane + slot * width) * V;
            operand.part[slot] = column < length ? memory.template at<V>(slot, column) : Floats<V>{};
        }
        return operand;
    }
    __device__ T* place(T* data) const { return data + row * length; }
    __device__ void finish(T*) const {}

    template <class F>
    __device__ void walk(const F& f) const {
        HEDDLE_UNROLL
        for (int slot = 0; slot < vectors; ++slot) {
            const int column = (lane + slot * width) * V;
            if (column < length) f(std::integral_constant<int, V>{}, slot, column);
        }
    }
};

template <class T>
struct StagedRow : RowGroup {
    static constexpr int threads = 256;
    static constexpr int per_lane = 8;  ///< elements, at most
    static constexpr std::int64_t longest = per_lane * warp_size;
    static constexpr bool keeps = false;
    static_assert(threads / warp_size % vector_width<T> == 0, "the rows of every block begin as aligned as the first");

    __device__ explicit StagedRow(const RowTiles& tiles)
        : RowGroup(tiles),
          row_length_(static_cast<int>(tiles.length)),
          row_in_block_(static_cast<int>(threadIdx.x) / width),
          aligned_(tiles.skew == 0) {
        const int rows = threads / width;
        const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * rows, left = tiles.rows - first;
        start_ = first * row_length_;
        capacity_ = rows * row_length_;
        count_ = left < rows ? static_cast<int>(left) * row_length_ : capacity_;
    }

    /// The row in shared memory, as the next of the arrays there. Ends with a barrier.
    __device__ const T* find(const T* data) {
        HEDDLE_SHARED_DYNAMIC(T, shared);
        T* const copy = shared + found_++ * capacity_;
        move(data + start_, copy);
        __syncthreads();
        return copy + row_in_block_ * row_length_;
    }
    __device__ InMemory<T> read(const T* data) { return {find(data)}; }
    /// Results take the place of the first array: nobody but their own lane reads what stands there any more.
    __device__ T* place(T*) const {
        HEDDLE_SHARED_DYNAMIC(T, shared);
        return shared + row_in_block_ * row_length_;
    }
    __device__ void finish(T* data) const {
        HEDDLE_SHARED_DYNAMIC(T, shared);
        __syncthreads();
        move(shared, data + start_);
    }

    template <class F>
    __device__ void walk(const F& f) const {
        for (int column = lane; column < length; column += width) f(std::integral_constant<int, 1>{}, 0, column);
    }

  private:
    __device__ void move(const T* from, T* to) const {
        constexpr int V = vector_width<T>;
        const int thread = static_cast<int>(threadIdx.x), vectors = aligned_ ? count_ / V : 0;
        // At most `per_lane` elements a thread: more unrolling is code that never runs.
        _Pragma("unroll 2") for (int i = thread; i < vectors; i += threads)
            store_vector(to + i * V, load_vector<V>(from + i * V));
        _Pragma("unroll 2") for (int i = vectors * V + thread; i < count_; i += threads) to[i] = from[i];
    }

    int row_length_, row_in_block_;
    int found_ = 0;
    bool aligned_;
    std::int64_t start_;    // of the block's rows, in elements
    int count_, capacity_;  // of them
};

template <class T>
struct WalkedRow {
    static constexpr int threads = 1024;  ///< at most
    static constexpr int V = vector_width<T>;
    static constexpr bool keeps = false, inside = true;
    const std::int64_t row = blockIdx.x;

    __device__ explicit WalkedRow(const RowTiles& tiles) : length_(tiles.length) {
        const auto beyond = static_cast<int>((tiles.skew + row * length_) % V);  // the last aligned address
        head_ = tiles.skew < 0 ? length_ : (V - beyond) % V;
        vectors_ = (length_ - head_) / V;
    }

    __device__ bool leads() const { return threadIdx.x == 0; }

    template <class Op>
    __device__ float reduce(float value, Op op, float identity) const {
        return block_reduce(value, op, identity);
    }

    __device__ const T* find(const T* data) const { return data + row * length_; }
    __device__ InMemory<T> read(const T* data) const { return {find(data)}; }
    __device__ T* place(T* data) const { return data + row * length_; }
    __device__ void finish(T*) const {}

    template <class F>
    __device__ void walk(const F& f) const {
        const std::int64_t singles = length_ - vectors_ * V;
        _Pragma("unroll 1") for (std::int64_t i = threadIdx.x; i < singles; i += blockDim.x)
            f(std::integral_constant<int, 1>{}, 0, i < head_ ? i : i + vectors_ * V);
        _Pragma("unroll 2") for (std::int64_t i = threadIdx.x; i < vectors_; i += blockDim.x)
            f(std::integral_constant<int, V>{}, 0, head_ + i * V);
    }

  private:
    std::int64_t length_, head_, vectors_;
};

/// f(column, element of each operand ...) for the thread's columns of the row.
template <class Row, class F, class... Operands>
__device__ inline void for_columns(const Row& row, const F& f, Operands&... operands) {
    row.walk([&](auto width, int slot, auto column) {
        constexpr int V = decltype(width)::value;
        [&](auto&&... part) {
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) f(column + v, part[v]...);
        }(operands.template at<V>(slot, column)...);
    });
}

/// y[column] = f(column, element of each operand ...) for the columns of the row. The kernel's last pass; y may be an
/// operand.
template <class Row, class T, class F, class... Operands>
__device__ inline void write_columns(const Row& row, T* y, const F& f, Operands&... operands) {
    T* const to = row.place(y);
    row.walk([&](auto width, int slot, auto column) {
        constexpr int V = decltype(width)::value;
        Vector<T, V> result;
        [&](auto&&... part) {
            HEDDLE_UNROLL
            for (int v = 0; v < V; ++v) result[v] = from_f32<T>(f(column + v, part[v]...));
        }(operands.template at<V>(slot, column)...);
        store_vector_global(to + column, result);
    });
    row.finish(y);
}

/// A launch over rows.
struct RowPlan {
    enum class Kind { kept, staged, walked } kind = Kind::walked;
    RowTiles tiles;
    dim3 grid, block;
    std::size_t shared_bytes = 0;
};

/// `arrays`: those that the kernel goes through, `reads` of which with `read` and `find`.
template <class T>
RowPlan plan_rows(std::int64_t rows, std::int64_t length, int reads, std::initializer_list<const void*> arrays) {
    constexpr int V = vector_width<T>;
    const auto skew_of = [](const void* array) {
        return static_cast<int>(reinterpret_cast<std::uintptr_t>(array) % 16 / sizeof(T));
    };
    RowPlan plan;
    plan.tiles.rows = rows;
    plan.tiles.length = length;
    plan.tiles.skew = skew_of(*arrays.begin());
    for (const void* array : arrays)
        if (skew_of(array) != plan.tiles.skew) plan.tiles.skew = -1;
    const auto groups = [&](std::int64_t lanes, int threads) {
        plan.tiles.width = lanes_for(lanes);
        plan.block = dim3(static_cast<unsigned>(threads));
        const int rows_per_block = threads / plan.tiles.width;
        plan.grid = dim3(static_cast<unsigned>((rows + rows_per_block - 1) / rows_per_block));
        return rows_per_block;
    };
    if (plan.tiles.skew == 0 && length % V == 0 && length <= KeptRow<T>::longest) {
        plan.kind = RowPlan::Kind::kept;
        groups((length / V + KeptRow<T>::vectors - 1) / KeptRow<T>::vectors, KeptRow<T>::threads);
    } else if (length <= StagedRow<T>::longest) {
        plan.kind = RowPlan::Kind::staged;
        using Staged = StagedRow<T>;
        const int rows_per_block = groups((length + Staged::per_lane - 1) / Staged::per_lane, Staged::threads);
        plan.shared_bytes = static_cast<std::size_t>(reads * rows_per_block * length) * sizeof(T);
    } else {
        // A vector for each thread, then four: a multiprocessor has 2048 threads, with 128 KB of rows.
        const std::int64_t bytes = reads * length * static_cast<std::int64_t>(sizeof(T));
        unsigned threads = 64;
        while (threads < unsigned{WalkedRow<T>::threads} && threads * (threads < 256 ? 16u : 64u) < bytes) threads *= 2;
        plan.grid = dim3(static_cast<unsigned>(rows));
        plan.block = dim3(threads);
    }
    return plan;
}

/// Calls `body` with the plan's kind of row, as std::type_identity.
template <class T, class Body>
void with_row(const RowPlan& plan, const Body& body) {
    switch (plan.kind) {
        case RowPlan::Kind::kept:
            return body(std::type_identity<KeptRow<T>>{});
        case RowPlan::Kind::staged:
            return body(std::type_identity<StagedRow<T>>{});
        case RowPlan::Kind::walked:
            return body(std::type_identity<WalkedRow<T>>{});
    }
}

HEDDLE_KERNELS_END
