#pragma once

#include "kernels/simt/simt.h"

HEDDLE_KERNELS_BEGIN

/// Adds `native_hopper` to the table of matmul (native_hopper.cu).
void register_hopper_matmul();

HEDDLE_KERNELS_END
