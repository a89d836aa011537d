#pragma once

#include "kernels/matmul/extents.h"

namespace heddle::kernels {

/// One register-blocked product of f32 (a batch of 1), for sizes so small that a library's choice of an algorithm would
/// take longer.
std::size_t blocks_workspace_bytes(const Matmul& args, const MatmulExtents& extents);
void multiply_blocks(const Matmul& args, const MatmulExtents& extents, void* workspace);

}  // namespace heddle::kernels
