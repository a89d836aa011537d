#pragma once

#include "kernels/norm/norm.h"
#include "kernels/norm/norm_pool.h"

// The built-in implementations of this family.
namespace heddle::kernels {

void add_reference(KernelTable<BatchNormForward>& table);
void add_reference(KernelTable<BatchNormInference>& table);
void add_reference(KernelTable<BatchNormBackward>& table);
void add_reference(KernelTable<BatchNormPoolForward>& table);
void add_reference(KernelTable<BatchNormPoolBackward>& table);
void add_cpu(KernelTable<BatchNormForward>& table);
void add_cpu(KernelTable<BatchNormInference>& table);
void add_cpu(KernelTable<BatchNormBackward>& table);
void add_cpu(KernelTable<BatchNormPoolForward>& table);
void add_cpu(KernelTable<BatchNormPoolBackward>& table);

}  // namespace heddle::kernels
