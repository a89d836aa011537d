#pragma once

// Loads and stores that name a cache (included by sim.h): plain ones here. Aligned, as vectors must be.
#include <type_traits>

#include "kernels/simt/runtime.h"

#define HEDDLE_SIMT_LOAD(name)                                                                \
    template <class T>                                                                        \
    T name(const T* address, heddle::simt::Location at = heddle::simt::Location::current()) { \
        heddle::simt::check_aligned(address, sizeof(T), at);                                  \
        return *address;                                                                      \
    }
#define HEDDLE_SIMT_STORE(name)                                                \
    template <class T>                                                         \
    void name(T* address, std::type_identity_t<T> value,                       \
              heddle::simt::Location at = heddle::simt::Location::current()) { \
        heddle::simt::check_aligned(address, sizeof(T), at);                   \
        *address = value;                                                      \
    }
HEDDLE_SIMT_LOAD(__ldg)
HEDDLE_SIMT_LOAD(__ldca)
HEDDLE_SIMT_LOAD(__ldcg)
HEDDLE_SIMT_LOAD(__ldcs)
HEDDLE_SIMT_LOAD(__ldcv)
HEDDLE_SIMT_LOAD(__ldlu)
HEDDLE_SIMT_STORE(__stcg)
HEDDLE_SIMT_STORE(__stcs)
HEDDLE_SIMT_STORE(__stwb)
HEDDLE_SIMT_STORE(__stwt)
#undef HEDDLE_SIMT_LOAD
#undef HEDDLE_SIMT_STORE

namespace heddle::simt {

/// ldmatrix: in the header, so that the sanitizers see these loads as the kernel's own. Every lane reads what it gets.
inline void load_matrix_x4(std::uint32_t (&fragment)[4], const void* row, bool transposed,
                           Location at = Location::current()) {
    check_aligned(row, 16, at);
    const Operands& rows = warp_exchange(0xffffffffu, &row, sizeof(row), "ldmatrix", at);
    const unsigned lane = lane_index(), g = lane / 4, t = lane % 4;
    for (unsigned tile = 0; tile < 4; ++tile) {
        const auto element = [&](unsigned r, unsigned column) -> std::uint32_t {
            using Bits [[gnu::may_alias]] = std::uint16_t;
            const Bits* elements = nullptr;
            __builtin_memcpy(&elements, rows.lane[tile * 8 + r], sizeof(elements));
            return elements[column];
        };
        fragment[tile] = transposed ? element(2 * t, g) | element(2 * t + 1, g) << 16
                                    : element(g, 2 * t) | element(g, 2 * t + 1) << 16;
    }
}

}  // namespace heddle::simt
