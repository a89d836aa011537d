#pragma once

#include "kernels/simt/simt.h"

// One function per file of native kernels, at the end of that file: it adds the file's implementations to the tables.
HEDDLE_KERNELS_BEGIN

void register_arg_reduce();
void register_attention_backward();
void register_attention_forward();
void register_attention_mma_backward();
void register_attention_mma_forward();
void register_average_pool();
void register_conv();
void register_cross_entropy();
void register_gradient_norm();
void register_image();
void register_layer_norm();
void register_matmul();
void register_max_pool();
void register_norm_backward();
void register_norm_forward();
void register_norm_pool();
void register_optimizer_steps();
void register_point_losses();
void register_reduce();
void register_rnn_backward();
void register_rnn_forward();
void register_rnn_persistent_backward();
void register_rnn_persistent_forward();
void register_softmax();
void register_top_k();
void register_binary();
void register_cast();
void register_gather();
void register_join();
void register_pad();
void register_pad_backward();
void register_permute();
void register_permutation();
void register_random();
void register_scatter();
void register_select();
void register_strided();
void register_unary();
void register_unary_backward();

/// All of them, for the library of the device that this is compiled for.
void register_native_kernels();

HEDDLE_KERNELS_END
