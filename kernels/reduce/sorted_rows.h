#pragma once

#include "kernels/reduce/native_keys.h"

// top_k by a sort of all rows at once: what stands before and after the sort. Elements get keys that rise from row to
// row and, in a row, in the contract's order; a stable sort by them leaves equal elements in the order of their places.
HEDDLE_KERNELS_BEGIN

inline constexpr int row_threads = 256;

/// A row's number above, the complement of a 32-bit key below: the largest element of a row comes first. `count`: rows
/// times n.
template <class T>
__global__ void make_row_keys(const T* x, std::uint64_t* keys, std::uint32_t* places, std::uint32_t n,
                              std::uint32_t count) {
    const std::uint32_t i = blockIdx.x * row_threads + threadIdx.x;
    if (i >= count) return;
    const std::uint32_t row = i / n;
    keys[i] = std::uint64_t{row} << 32 | ~key_of(x[i]);
    places[i] = i - row * n;
}

/// The bits of such keys that differ: all of them below this one.
inline int row_key_bits(std::int64_t rows) {
    int bits = 32;
    while (bits < 64 && (rows - 1) >> (bits - 32) != 0) ++bits;
    return bits;
}

/// The first k of each sorted row; `count`: rows times k.
template <class T>
__global__ void write_first_of_rows(const T* x, const std::uint32_t* places, T* values, std::int64_t* indices,
                                    std::uint32_t n, std::uint32_t k, std::uint32_t count) {
    const std::uint32_t i = blockIdx.x * row_threads + threadIdx.x;
    if (i >= count) return;
    const std::uint32_t row = i / k, start = row * n, place = places[start + (i - row * k)];
    values[i] = x[start + place];
    indices[i] = place;
}

HEDDLE_KERNELS_END
