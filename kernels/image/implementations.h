#pragma once

#include "kernels/image/image.h"

// The built-in implementations of this family; one pair of lines per file.
namespace heddle::kernels {

void add_reference(KernelTable<ImageBatch>& table);
void add_reference(KernelTable<ResizeBilinear>& table);
void add_cpu(KernelTable<ImageBatch>& table);
void add_cpu(KernelTable<ResizeBilinear>& table);

}  // namespace heddle::kernels
