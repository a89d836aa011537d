#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace heddle {

/// Private to the library's sources (public headers stay free of fmt): `check(ok, "{}: expected {}", name, value)`.
template <class... Args>
inline void check(bool ok, fmt::format_string<Args...> format, Args&&... args) {
    if (!ok) [[unlikely]]
        fail(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace heddle
