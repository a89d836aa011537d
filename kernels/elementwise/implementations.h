#pragma once

#include "kernels/elementwise/elementwise.h"

// The built-in implementations of this family.
namespace heddle::kernels {

void add_reference(KernelTable<Binary>& table);
void add_reference(KernelTable<ScalarBinary>& table);
void add_reference(KernelTable<ScaleAdd>& table);
void add_reference(KernelTable<Unary>& table);
void add_reference(KernelTable<UnaryBackward>& table);
void add_reference(KernelTable<Where>& table);
void add_reference(KernelTable<Cast>& table);
void add_reference(KernelTable<Fill>& table);
void add_reference(KernelTable<Clip>& table);
void add_reference(KernelTable<ClipBackward>& table);

void add_cpu(KernelTable<Binary>& table);
void add_cpu(KernelTable<ScalarBinary>& table);
void add_cpu(KernelTable<ScaleAdd>& table);
void add_cpu(KernelTable<Unary>& table);
void add_cpu(KernelTable<UnaryBackward>& table);
void add_cpu(KernelTable<Where>& table);
void add_cpu(KernelTable<Cast>& table);
void add_cpu(KernelTable<Fill>& table);
void add_cpu(KernelTable<Clip>& table);
void add_cpu(KernelTable<ClipBackward>& table);

}  // namespace heddle::kernels
