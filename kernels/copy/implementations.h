#pragma once

#include "kernels/copy/copy.h"

// The built-in implementations of this family.
namespace heddle::kernels {

void add_reference(KernelTable<Permute>& table);
void add_reference(KernelTable<Concat>& table);
void add_reference(KernelTable<Split>& table);
void add_reference(KernelTable<Pad>& table);
void add_reference(KernelTable<PadBackward>& table);
void add_reference(KernelTable<Slice>& table);
void add_reference(KernelTable<SliceBackward>& table);
void add_reference(KernelTable<BroadcastTo>& table);
void add_reference(KernelTable<Gather>& table);
void add_reference(KernelTable<GatherBackward>& table);
void add_reference(KernelTable<TakeAlong>& table);
void add_reference(KernelTable<TakeAlongBackward>& table);
void add_reference(KernelTable<OneHot>& table);

void add_cpu(KernelTable<Permute>& table);
void add_cpu(KernelTable<Concat>& table);
void add_cpu(KernelTable<Split>& table);
void add_cpu(KernelTable<Pad>& table);
void add_cpu(KernelTable<PadBackward>& table);
void add_cpu(KernelTable<Slice>& table);
void add_cpu(KernelTable<SliceBackward>& table);
void add_cpu(KernelTable<BroadcastTo>& table);
void add_cpu(KernelTable<Gather>& table);
void add_cpu(KernelTable<GatherBackward>& table);
void add_cpu(KernelTable<TakeAlong>& table);
void add_cpu(KernelTable<TakeAlongBackward>& table);
void add_cpu(KernelTable<OneHot>& table);

}  // namespace heddle::kernels
