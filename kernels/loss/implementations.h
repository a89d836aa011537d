#pragma once

#include "kernels/loss/loss.h"

// The built-in implementations of this family; one pair of lines per file.
namespace heddle::kernels {

void add_reference(KernelTable<CrossEntropyForward>& table);
void add_reference(KernelTable<CrossEntropyBackward>& table);
void add_reference(KernelTable<LabelRange>& table);
void add_reference(KernelTable<PointLossForward>& table);
void add_reference(KernelTable<PointLossBackward>& table);
void add_cpu(KernelTable<CrossEntropyForward>& table);
void add_cpu(KernelTable<CrossEntropyBackward>& table);
void add_cpu(KernelTable<LabelRange>& table);
void add_cpu(KernelTable<PointLossForward>& table);
void add_cpu(KernelTable<PointLossBackward>& table);

}  // namespace heddle::kernels
