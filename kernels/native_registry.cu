#include "kernels/native_registry.h"

HEDDLE_KERNELS_BEGIN

void register_native_kernels() {
    register_matmul();
    register_softmax();
}

HEDDLE_KERNELS_END
