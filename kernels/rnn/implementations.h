#pragma once

#include "kernels/rnn/rnn.h"

// The built-in implementations of this family; one pair of lines per file.
namespace heddle::kernels {

void add_reference(KernelTable<RnnForward>& table);
void add_reference(KernelTable<RnnBackward>& table);
void add_cpu(KernelTable<RnnForward>& table);
void add_cpu(KernelTable<RnnBackward>& table);

}  // namespace heddle::kernels
