#include "kernels/matmul/native_matmul.h"

HEDDLE_KERNELS_BEGIN

template void run_matmul<__nv_bfloat16>(const Matmul&, KernelContext&);

HEDDLE_KERNELS_END
