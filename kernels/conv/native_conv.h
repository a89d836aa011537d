#pragma once

#include "kernels/conv/gather.h"
#include "kernels/simt/native.h"

// The native ways to compute a convolution; native.cu chooses between them.
HEDDLE_KERNELS_BEGIN

/// Implicit GEMM by tiles, on tensor cores for f16 and bf16.
std::size_t forward_tiles_workspace(const Conv2dForward& args);
void run_forward_tiles(const Conv2dForward& args, KernelContext& context);
std::size_t backward_data_tiles_workspace(const Conv2dBackwardData& args);
void run_backward_data_tiles(const Conv2dBackwardData& args, KernelContext& context);
std::size_t backward_weights_tiles_workspace(const Conv2dBackwardWeights& args);
void run_backward_weights_tiles(const Conv2dBackwardWeights& args, KernelContext& context);

/// One channel a group: `depthwise()` of the extents. The weights' gradient leaves dbias out.
void run_depthwise(const Conv2dForward& args, KernelContext& context);
void run_depthwise(const Conv2dBackwardData& args, KernelContext& context);
std::size_t depthwise_workspace(const Conv2dBackwardWeights& args);
void run_depthwise(const Conv2dBackwardWeights& args, KernelContext& context);

HEDDLE_KERNELS_END
