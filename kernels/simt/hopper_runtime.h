#pragma once

// What mbarrier.h, tensor_map.h and wgmma.h ask of the simulator's runtime: the asynchronous machinery of compute
// capability 9.0.
#include "kernels/simt/runtime.h"

namespace heddle::simt {

// Barriers that count arrivals and bytes (mbarriers.cpp). -------------------------------------------------------------

void mbarrier_init(void* barrier, unsigned arrivals, Location at);
/// `bytes`: that copies will bring in this phase, besides what was announced before.
void mbarrier_arrive(void* barrier, unsigned bytes, Location at);
void mbarrier_wait(void* barrier, unsigned parity, Location at);
/// Orders the thread's own accesses of shared memory before those of copies and of wgmma: here it counts for the
/// barriers that it has initialised.
void fence_async(Location at);

/// A matrix, or `items` of them, in global memory, of which copies take boxes of 64 columns and `box_rows` rows.
struct BoxMap {
    const char* data = nullptr;
    std::uint64_t columns = 0, rows = 0, items = 0;
    std::uint64_t row_bytes = 0, item_bytes = 0;
    unsigned box_rows = 0;
};
/// Copies the box at (column, row, item) in the 128-byte swizzle. Elements beyond the matrix are zeros, which count as
/// bytes, too. The target is NaN until the copy ends: when no thread can go on without it.
void copy_box(void* to_shared, const BoxMap& map, int column, int row, int item, void* barrier, Location at);

// Products of warpgroups (warpgroup.cpp). -----------------------------------------------------------------------------

/// A shared address as instructions take it.
std::uint32_t shared_offset(const void* address, Location at);

/// One wgmma.mma_async of m64n<n>k16, both operands in shared memory.
struct WarpgroupProduct {
    std::uint64_t a, b;  ///< descriptors
    int n;
    bool accumulate, half, a_along_m, b_along_n;
    bool operator==(const WarpgroupProduct&) const = default;
};
/// `d`, n / 2 sums of this thread, are NaN until the product's group is waited for; the operands are read then.
void warpgroup_multiply(float* d, const WarpgroupProduct& product, Location at);
void warpgroup_fence(Location at);
void warpgroup_commit(Location at);
void warpgroup_wait(unsigned groups, Location at);

/// The warpgroup goes on with `count` registers a thread, more or fewer than before (registers.cpp).
void change_registers(unsigned count, bool more, Location at);

}  // namespace heddle::simt
