#pragma once

#include "kernels/matmul/extents.h"

namespace heddle::kernels {

/// Matmul of f32 by plain loops: for products that take less time than a call into a library, and for empty ones.
void multiply_small(const Matmul& args, const MatmulExtents& extents);

}  // namespace heddle::kernels
