#pragma once

#include "layers/detail/registry.h"

// The classes of models/ that `Layer::from_config` knows from the start, one function per file.
namespace heddle {

void add_resnet(LayerMakers& makers);
void add_preact_resnet(LayerMakers& makers);
void add_vgg(LayerMakers& makers);
void add_speednet(LayerMakers& makers);

}  // namespace heddle
