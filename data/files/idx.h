#pragma once

#include <string>

#include "core/tensor.h"

namespace heddle {

/// The IDX format of MNIST, plain or gzipped: u8 (0x08), i32 (0x0C), f32 (0x0D) and f64 (0x0E) of any rank up to
/// `Shape::max_rank`. The declared shape must be exactly what the file holds. Throws `Error` naming the file.
HEDDLE_API Tensor load_idx(const std::string& path);

}  // namespace heddle
