#pragma once

#include <limits>
#include <type_traits>

#include "kernels/element_types.h"

namespace heddle::kernels {

/// What stands where an index is none: NaN, or 0 in types without it.
template <class T>
T missing() {
    if constexpr (std::is_integral_v<T>)
        return T{};
    else
        return convert<T>(std::numeric_limits<double>::quiet_NaN());
}

}  // namespace heddle::kernels
