#pragma once

#include "kernels/matmul/matmul.h"

// The built-in implementations of this family.
namespace heddle::kernels {

void add_reference(KernelTable<Matmul>& table);
void add_reference(KernelTable<BiasGradient>& table);
void add_cpu(KernelTable<Matmul>& table);
void add_cpu(KernelTable<BiasGradient>& table);

}  // namespace heddle::kernels
