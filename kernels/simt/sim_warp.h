#pragma once

// Shuffles, votes and reductions of a warp (included by sim.h). They exchange values and order nothing in memory.
#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "kernels/simt/runtime.h"

namespace heddle::simt {

template <class T>
T operand(const Operands& operands, int lane) {
    T value;
    std::memcpy(static_cast<void*>(&value), operands.lane[lane], sizeof(value));
    return value;
}

/// What lane `source` gives, if it lies in this lane's group of `width`; else this lane's own value.
template <class T>
T shuffle(unsigned mask, T value, int source, bool in_group, int width, const char* name, Location at) {
    static_assert(sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 2, 4 or 8 bytes");
    if (width < 1 || width > 32 || (width & (width - 1)) != 0) fail_width(width, name, at);
    const Operands& operands = warp_exchange(mask, &value, sizeof(value), name, at);
    return in_group ? operand<T>(operands, source & 31) : value;
}

/// combine(..., value of a lane, lane) over the lanes of the mask.
template <class T, class Combine>
T fold(unsigned mask, T value, T start, const char* name, Location at, Combine combine) {
    const Operands& operands = warp_exchange(mask, &value, sizeof(value), name, at);
    for (int lane = 0; lane < 32; ++lane)
        if ((mask >> lane & 1) != 0) start = combine(start, operand<T>(operands, lane), lane);
    return start;
}

}  // namespace heddle::simt

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              heddle::simt::Location at = heddle::simt::Location::current()) {
    const int lane = static_cast<int>(heddle::simt::lane_index());
    source = (lane & ~(width - 1)) | (source & (width - 1));
    return heddle::simt::shuffle(mask, value, source, true, width, "__shfl_sync", at);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 heddle::simt::Location at = heddle::simt::Location::current()) {
    const int lane = static_cast<int>(heddle::simt::lane_index());
    const bool in_group = delta <= static_cast<unsigned>(lane & (width - 1));
    return heddle::simt::shuffle(mask, value, lane - static_cast<int>(delta), in_group, width, "__shfl_up_sync", at);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   heddle::simt::Location at = heddle::simt::Location::current()) {
    const int lane = static_cast<int>(heddle::simt::lane_index());
    const bool in_group = delta < static_cast<unsigned>(width - (lane & (width - 1)));
    return heddle::simt::shuffle(mask, value, lane + static_cast<int>(delta), in_group, width, "__shfl_down_sync", at);
}
/// A lane reads from its own group or an earlier one.
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  heddle::simt::Location at = heddle::simt::Location::current()) {
    const int lane = static_cast<int>(heddle::simt::lane_index());
    const int source = lane ^ lanes;
    const bool in_group = source <= (lane | (width - 1));
    return heddle::simt::shuffle(mask, value, source, in_group, width, "__shfl_xor_sync", at);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::fold(mask, predicate != 0 ? 1u : 0u, 0u, "__ballot_sync", at,
                              [](unsigned all, unsigned value, int lane) { return all | value << lane; });
}
inline int __any_sync(unsigned mask, int predicate, heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::fold(mask, predicate != 0 ? 1 : 0, 0, "__any_sync", at,
                              [](int all, int value, int) { return all | value; });
}
inline int __all_sync(unsigned mask, int predicate, heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::fold(mask, predicate != 0 ? 1 : 0, 1, "__all_sync", at,
                              [](int all, int value, int) { return all & value; });
}
/// The lanes that give the same value.
template <class T>
unsigned __match_any_sync(unsigned mask, T value, heddle::simt::Location at = heddle::simt::Location::current()) {
    const heddle::simt::Operands& operands =
        heddle::simt::warp_exchange(mask, &value, sizeof(value), "__match_any_sync", at);
    unsigned same = 0;
    for (int lane = 0; lane < 32; ++lane)
        if ((mask >> lane & 1) != 0 && heddle::simt::operand<T>(operands, lane) == value) same |= 1u << lane;
    return same;
}
/// The mask where all lanes give the same value, else 0.
template <class T>
unsigned __match_all_sync(unsigned mask, T value, int* all,
                          heddle::simt::Location at = heddle::simt::Location::current()) {
    const bool same = (__match_any_sync(mask, value, at) & mask) == mask;
    *all = same;
    return same ? mask : 0;
}

inline unsigned __reduce_add_sync(unsigned mask, unsigned value,
                                  heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::fold(mask, value, 0u, "__reduce_add_sync", at,
                              [](unsigned all, unsigned each, int) { return all + each; });
}
inline int __reduce_add_sync(unsigned mask, int value, heddle::simt::Location at = heddle::simt::Location::current()) {
    return static_cast<int>(__reduce_add_sync(mask, static_cast<unsigned>(value), at));
}
template <class T>
requires std::is_same_v<T, int> || std::is_same_v<T, unsigned> T
__reduce_min_sync(unsigned mask, T value, heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::fold(mask, value, value, "__reduce_min_sync", at,
                              [](T all, T each, int) { return std::min(all, each); });
}
template <class T>
requires std::is_same_v<T, int> || std::is_same_v<T, unsigned> T
__reduce_max_sync(unsigned mask, T value, heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::fold(mask, value, value, "__reduce_max_sync", at,
                              [](T all, T each, int) { return std::max(all, each); });
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value,
                                  heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::fold(mask, value, value, "__reduce_and_sync", at,
                              [](unsigned all, unsigned each, int) { return all & each; });
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value,
                                 heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::fold(mask, value, 0u, "__reduce_or_sync", at,
                              [](unsigned all, unsigned each, int) { return all | each; });
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value,
                                  heddle::simt::Location at = heddle::simt::Location::current()) {
    return heddle::simt::fold(mask, value, 0u, "__reduce_xor_sync", at,
                              [](unsigned all, unsigned each, int) { return all ^ each; });
}

inline unsigned __activemask(heddle::simt::Location at = heddle::simt::Location::current()) {
    heddle::simt::fail(at, "__activemask() says which lanes happen to run together: pass an explicit mask");
}
