#pragma once

#include "kernels/matmul/extents.h"

namespace heddle::kernels {

/// One product of f32 (a batch of 1) by blocks of registers: for those that are over before a library has chosen how to
/// compute them.
std::size_t blocks_workspace_bytes(const Matmul& args, const MatmulExtents& extents);
void multiply_blocks(const Matmul& args, const MatmulExtents& extents, void* workspace);

}  // namespace heddle::kernels
