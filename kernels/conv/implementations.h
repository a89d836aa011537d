#pragma once

#include "kernels/conv/conv.h"

// The built-in implementations of this family.
namespace heddle::kernels {

void add_reference(KernelTable<Conv2dForward>& table);
void add_reference(KernelTable<Conv2dBackwardData>& table);
void add_reference(KernelTable<Conv2dBackwardWeights>& table);
void add_cpu(KernelTable<Conv2dForward>& table);
void add_cpu(KernelTable<Conv2dBackwardData>& table);
void add_cpu(KernelTable<Conv2dBackwardWeights>& table);
void add_cpu_columns(KernelTable<Conv2dForward>& table);
void add_cpu_columns(KernelTable<Conv2dBackwardData>& table);
void add_cpu_columns(KernelTable<Conv2dBackwardWeights>& table);
void add_cpu_direct(KernelTable<Conv2dForward>& table);
void add_cpu_direct(KernelTable<Conv2dBackwardWeights>& table);
void add_cpu_matmul(KernelTable<Conv2dBackwardData>& table);
void add_cpu_winograd(KernelTable<Conv2dForward>& table);
void add_cpu_winograd(KernelTable<Conv2dBackwardData>& table);
void add_cpu_winograd(KernelTable<Conv2dBackwardWeights>& table);
void add_cpu_winograd_nhwc(KernelTable<Conv2dForward>& table);
void add_cpu_winograd_nhwc(KernelTable<Conv2dBackwardData>& table);
void add_cpu_winograd_nhwc(KernelTable<Conv2dBackwardWeights>& table);

}  // namespace heddle::kernels
