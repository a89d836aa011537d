#include "layers/detail/registry.h"

namespace heddle {

void add_builtin_layers(LayerMakers& makers) {
    add_activation_layers(makers);
    add_core_layers(makers);
    add_conv_layers(makers);
    add_pool_layers(makers);
    add_norm_layers(makers);
    add_merge_layers(makers);
    add_attention_layers(makers);
    add_embedding_layers(makers);
    add_recurrent_layers(makers);
    add_sequence_layers(makers);
    add_masking_layers(makers);
    add_resizing_layers(makers);
    add_containers(makers);
    add_model_layers(makers);
}

}  // namespace heddle
