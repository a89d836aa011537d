#pragma once

#include "kernels/optim/optim.h"

// The built-in implementations of this family; one pair of lines per file.
namespace heddle::kernels {

void add_reference(KernelTable<SgdStep>& table);
void add_reference(KernelTable<AdamStep>& table);
void add_reference(KernelTable<RmspropStep>& table);
void add_reference(KernelTable<GradientNorm>& table);
void add_cpu(KernelTable<SgdStep>& table);
void add_cpu(KernelTable<AdamStep>& table);
void add_cpu(KernelTable<RmspropStep>& table);
void add_cpu(KernelTable<GradientNorm>& table);

}  // namespace heddle::kernels
