#pragma once

#include "kernels/softmax/softmax.h"

// The built-in implementations of this family; one pair of lines per file.
namespace heddle::kernels {

void add_reference(KernelTable<SoftmaxForward>& table);
void add_reference(KernelTable<SoftmaxBackward>& table);
void add_cpu(KernelTable<SoftmaxForward>& table);
void add_cpu(KernelTable<SoftmaxBackward>& table);

}  // namespace heddle::kernels
