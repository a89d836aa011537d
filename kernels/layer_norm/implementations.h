#pragma once

#include "kernels/layer_norm/layer_norm.h"

// The built-in implementations of this family; one pair of lines per file.
namespace heddle::kernels {

void add_reference(KernelTable<LayerNormForward>& table);
void add_reference(KernelTable<LayerNormBackward>& table);
void add_cpu(KernelTable<LayerNormForward>& table);
void add_cpu(KernelTable<LayerNormBackward>& table);

}  // namespace heddle::kernels
