#include "tests/cases/families.h"

namespace heddle::cases {

CaseSets all_cases() {
    CaseSets sets;
    add_unary_cases(sets);
    add_binary_cases(sets);
    add_select_cases(sets);
    add_reduce_cases(sets);
    add_copy_cases(sets);
    add_attention_cases(sets);
    add_conv_cases(sets);
    add_image_cases(sets);
    add_layer_norm_cases(sets);
    add_loss_cases(sets);
    add_matmul_cases(sets);
    add_norm_cases(sets);
    add_norm_pool_cases(sets);
    add_optim_cases(sets);
    add_pool_cases(sets);
    add_random_cases(sets);
    add_rnn_cases(sets);
    add_softmax_cases(sets);
    return sets;
}

}  // namespace heddle::cases
