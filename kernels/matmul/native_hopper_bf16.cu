#include "kernels/matmul/native_hopper.h"

HEDDLE_KERNELS_BEGIN

template void run_hopper<__nv_bfloat16>(const Matmul&, KernelContext&);

HEDDLE_KERNELS_END
