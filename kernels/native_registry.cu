#include "kernels/native_registry.h"

HEDDLE_KERNELS_BEGIN

void register_native_kernels() {
    register_arg_reduce();
    register_cross_entropy();
    register_gradient_norm();
    register_image();
    register_matmul();
    register_norm_backward();
    register_norm_forward();
    register_optimizer_steps();
    register_point_losses();
    register_reduce();
    register_softmax();
    register_top_k();
}

HEDDLE_KERNELS_END
