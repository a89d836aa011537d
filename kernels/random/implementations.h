#pragma once

#include "kernels/random/random.h"

// The built-in implementations of this family; one pair of lines per file.
namespace heddle::kernels {

void add_reference(KernelTable<RandomUniform>& table);
void add_reference(KernelTable<RandomNormal>& table);
void add_reference(KernelTable<RandomTruncatedNormal>& table);
void add_reference(KernelTable<RandomPermutation>& table);
void add_reference(KernelTable<DropoutForward>& table);
void add_reference(KernelTable<DropoutBackward>& table);
void add_cpu(KernelTable<RandomUniform>& table);
void add_cpu(KernelTable<RandomNormal>& table);
void add_cpu(KernelTable<RandomTruncatedNormal>& table);
void add_cpu(KernelTable<RandomPermutation>& table);
void add_cpu(KernelTable<DropoutForward>& table);
void add_cpu(KernelTable<DropoutBackward>& table);

}  // namespace heddle::kernels
