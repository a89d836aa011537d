#pragma once

#include <cstddef>

#include "core/check.h"

namespace heddle::detail {

/// One T for every device that there can be.
template <class T>
struct PerDevice {
    static constexpr std::size_t kinds = 3, indices = 64;
    T all[kinds][indices];

    /// Throws `Error` for a device that there cannot be.
    T& operator[](Device device) {
        const auto kind = static_cast<std::size_t>(device.kind), index = static_cast<std::size_t>(device.index);
        check(kind < kinds && index < indices, "device {} of kind {}: there are {} kinds, with indices 0 to {}",
              static_cast<int>(device.index), static_cast<int>(device.kind), kinds, indices - 1);
        return all[kind][index];
    }
};

}  // namespace heddle::detail
