#pragma once

#include "kernels/reduce/reduce.h"

// The built-in implementations of this family.
namespace heddle::kernels {

void add_reference(KernelTable<Reduce>& table);
void add_reference(KernelTable<ReduceToShape>& table);
void add_reference(KernelTable<ArgReduce>& table);
void add_reference(KernelTable<TopK>& table);

void add_cpu(KernelTable<Reduce>& table);
void add_cpu(KernelTable<ReduceToShape>& table);
void add_cpu(KernelTable<ArgReduce>& table);
void add_cpu(KernelTable<TopK>& table);

}  // namespace heddle::kernels
