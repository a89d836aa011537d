#include "kernels/matmul/native_matmul.h"

HEDDLE_KERNELS_BEGIN

template void run_matmul<__half>(const Matmul&, KernelContext&);

HEDDLE_KERNELS_END
