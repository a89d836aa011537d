#pragma once

#include <cstdint>

namespace heddle::kernels {

/// What an operation may apply to its result before it is written.
enum class FusedActivation : std::uint8_t { none, relu };

}  // namespace heddle::kernels
