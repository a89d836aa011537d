#include "kernels/matmul/native_hopper.h"

HEDDLE_KERNELS_BEGIN

template void run_hopper<__half>(const Matmul&, KernelContext&);

HEDDLE_KERNELS_END
