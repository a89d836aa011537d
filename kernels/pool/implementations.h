#pragma once

#include "kernels/pool/pool.h"

// The built-in implementations of this family.
namespace heddle::kernels {

void add_reference(KernelTable<MaxPool2dForward>& table);
void add_reference(KernelTable<MaxPool2dBackward>& table);
void add_reference(KernelTable<AvgPool2dForward>& table);
void add_reference(KernelTable<AvgPool2dBackward>& table);
void add_cpu(KernelTable<MaxPool2dForward>& table);
void add_cpu(KernelTable<MaxPool2dBackward>& table);
void add_cpu(KernelTable<AvgPool2dForward>& table);
void add_cpu(KernelTable<AvgPool2dBackward>& table);

}  // namespace heddle::kernels
