#pragma once

#include "kernels/attention/attention.h"

// The built-in implementations of this family; one pair of lines per file.
namespace heddle::kernels {

void add_reference(KernelTable<AttentionForward>& table);
void add_reference(KernelTable<AttentionBackward>& table);
void add_cpu(KernelTable<AttentionForward>& table);
void add_cpu(KernelTable<AttentionBackward>& table);
void add_cpu_blocks(KernelTable<AttentionBackward>& table);

}  // namespace heddle::kernels
