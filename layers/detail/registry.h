#pragma once

#include <functional>
#include <map>
#include <string>

#include "layers/layer.h"

// Private to layers/: the classes that `Layer::from_config` knows from the start, one function per file of layers.
namespace heddle {

using LayerMakers = std::map<std::string, std::function<Layer(const Config&)>>;

void add_builtin_layers(LayerMakers& makers);

void add_activation_layers(LayerMakers& makers);
void add_core_layers(LayerMakers& makers);
void add_conv_layers(LayerMakers& makers);
void add_pool_layers(LayerMakers& makers);
void add_norm_layers(LayerMakers& makers);
void add_merge_layers(LayerMakers& makers);
void add_attention_layers(LayerMakers& makers);
void add_embedding_layers(LayerMakers& makers);
void add_recurrent_layers(LayerMakers& makers);
void add_sequence_layers(LayerMakers& makers);
void add_masking_layers(LayerMakers& makers);
void add_resizing_layers(LayerMakers& makers);
void add_containers(LayerMakers& makers);
void add_graph(LayerMakers& makers);
/// Defined in models/, the only folder above that defines layers, so that a saved reference model loads without the
/// user registering anything.
void add_model_layers(LayerMakers& makers);

}  // namespace heddle
