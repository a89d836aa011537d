#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/device.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/shape.h"
#include "core/tensor.h"

/// Messages take these as they are, so that nothing is formatted unless a check fails.
template <>
struct fmt::formatter<heddle::Shape> : fmt::formatter<std::string> {
    auto format(const heddle::Shape& shape, fmt::format_context& context) const {
        return fmt::formatter<std::string>::format(shape.to_string(), context);
    }
};
template <>
struct fmt::formatter<heddle::DType> : fmt::formatter<std::string_view> {
    auto format(heddle::DType dtype, fmt::format_context& context) const {
        return fmt::formatter<std::string_view>::format(heddle::to_string(dtype), context);
    }
};
template <>
struct fmt::formatter<heddle::Device> : fmt::formatter<std::string> {
    auto format(heddle::Device device, fmt::format_context& context) const {
        return fmt::formatter<std::string>::format(device.to_string(), context);
    }
};
/// "f32 [2, 3]", or "an undefined tensor".
template <>
struct fmt::formatter<heddle::Tensor> : fmt::formatter<std::string> {
    auto format(const heddle::Tensor& tensor, fmt::format_context& context) const {
        return fmt::formatter<std::string>::format(
            tensor.defined() ? fmt::format("{} {}", tensor.dtype(), tensor.shape()) : "an undefined tensor", context);
    }
};

namespace heddle {

/// Private to the library's sources (public headers stay free of fmt): `check(ok, "{}: expected {}", name, value)`.
template <class... Args>
inline void check(bool ok, fmt::format_string<Args...> format, Args&&... args) {
    if (!ok) [[unlikely]]
        fail(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace heddle
