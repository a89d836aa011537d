#include "kernels/native_registry.h"

HEDDLE_KERNELS_BEGIN

void register_native_kernels() {
    register_arg_reduce();
    register_attention_backward();
    register_attention_forward();
    register_attention_mma_backward();
    register_attention_mma_forward();
    register_average_pool();
    register_conv();
    register_cross_entropy();
    register_gradient_norm();
    register_image();
    register_layer_norm();
    register_matmul();
    register_max_pool();
    register_norm_backward();
    register_norm_forward();
    register_norm_pool();
    register_optimizer_steps();
    register_point_losses();
    register_reduce();
    register_rnn_backward();
    register_rnn_forward();
    register_rnn_persistent_backward();
    register_rnn_persistent_forward();
    register_softmax();
    register_top_k();
    register_binary();
    register_cast();
    register_gather();
    register_join();
    register_pad();
    register_pad_backward();
    register_permute();
    register_permutation();
    register_random();
    register_scatter();
    register_select();
    register_strided();
    register_unary();
    register_unary_backward();
}

HEDDLE_KERNELS_END
