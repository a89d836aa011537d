#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/lanes.h"
#include "kernels/strips.h"

// What the loops of batch norm share that sum over rows.
//
// Sums are what these loops wait for beside memory. Where rows fill whole vectors the sums stay in registers and memory
// is read in its order, as fast as it can be (26 to 29 GB/s on one core of an EPYC). Elsewhere the sums live in the
// first cache and are loaded and stored once for several strips; processors foresee one stream better than the several
// that these strips are (10 GB/s), so the next strips are asked for early, in the order of memory (20 GB/s). `ivdep`:
// outputs are either other memory or exactly the input (in place), never shifted.
namespace heddle::kernels {

HEDDLE_INLINE void add_to(float* to, const Lanes& from) {
    Lanes sum;
    get(sum, to);
    put(to, sum + from);
}

/// Calls `body(std::integral_constant<int, n>)` where n vectors hold whole rows and the sums fit into registers: up to
/// 128 channels, powers of two. False elsewhere.
template <class Body>
HEDDLE_INLINE bool with_vectors(const Strips& strips, const Body& body) {
    if (strips.channels > 128 || 128 % strips.channels != 0 || strips.strip % 128 != 0) return false;
    if (strips.channels <= 32)
        body(std::integral_constant<int, 2>{});
    else if (strips.channels == 64)
        body(std::integral_constant<int, 4>{});
    else
        body(std::integral_constant<int, 8>{});
    return true;
}

/// So many additions are made in registers before the sums join those in memory: long sums in float lose digits.
inline constexpr std::int64_t longest_run = 32;
/// Elements of a strip between two requests of what comes next.
inline constexpr std::int64_t prefetched = 64;

template <class T>
HEDDLE_INLINE void foresee(const T* x, std::int64_t first, std::int64_t count) {
    constexpr std::int64_t line = 64 / sizeof(T);
    for (std::int64_t k = 0; k < count; k += line) __builtin_prefetch(x + first + k, 0, 2);
}

}  // namespace heddle::kernels
