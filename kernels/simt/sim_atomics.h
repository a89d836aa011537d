#pragma once

// Atomic operations (included by sim.h): relaxed, as on a GPU; `__threadfence` orders.
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/simt/runtime.h"

namespace heddle::simt {

/// As std::bit_cast, for __half2 too, whose copy constructor is not trivial.
template <class To, class From>
To same_bits(const From& from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(static_cast<void*>(&to), static_cast<const void*>(&from), sizeof(to));
    return to;
}

/// Replaces *address by next(*address); returns what was there.
template <class T, class Next>
T atomic_update(T* address, Next next) {
    using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t,
                                    std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint16_t>>;
    static_assert(sizeof(Bits) == sizeof(T));
    using Aliased [[gnu::may_alias]] = Bits;
    note_atomic(address);
    auto* const bits = reinterpret_cast<Aliased*>(address);
    Bits before = __atomic_load_n(bits, __ATOMIC_RELAXED);
    for (;;) {
        const Bits after = same_bits<Bits>(next(same_bits<T>(before)));
        if (__atomic_compare_exchange_n(bits, &before, after, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return same_bits<T>(before);
    }
}

}  // namespace heddle::simt

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
    return heddle::simt::atomic_update(address, [value](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicSub(T* address, std::type_identity_t<T> value) {
    return heddle::simt::atomic_update(address, [value](T old) { return static_cast<T>(old - value); });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
    return heddle::simt::atomic_update(address, [value](T old) { return value < old ? value : old; });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
    return heddle::simt::atomic_update(address, [value](T old) { return old < value ? value : old; });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
    return heddle::simt::atomic_update(address, [value](T) { return value; });
}
template <class T>
T atomicAnd(T* address, std::type_identity_t<T> value) {
    return heddle::simt::atomic_update(address, [value](T old) { return static_cast<T>(old & value); });
}
template <class T>
T atomicOr(T* address, std::type_identity_t<T> value) {
    return heddle::simt::atomic_update(address, [value](T old) { return static_cast<T>(old | value); });
}
template <class T>
T atomicXor(T* address, std::type_identity_t<T> value) {
    return heddle::simt::atomic_update(address, [value](T old) { return static_cast<T>(old ^ value); });
}
/// Compares bits.
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
    return heddle::simt::atomic_update(address, [=](T old) { return old == expected ? value : old; });
}
/// Counts up to `limit`, then from 0 again.
inline unsigned atomicInc(unsigned* address, unsigned limit) {
    return heddle::simt::atomic_update(address, [limit](unsigned old) { return old >= limit ? 0 : old + 1; });
}
inline unsigned atomicDec(unsigned* address, unsigned limit) {
    return heddle::simt::atomic_update(address,
                                       [limit](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}
