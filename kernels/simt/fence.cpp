#include "core/export.h"
#include "kernels/simt/race.h"
#include "kernels/simt/scheduler.h"

// What fences and atomic operations order, for the race detector. An atomic operation after a fence releases what its
// thread has seen; a fence acquires what others have released at the addresses where this block has done atomic
// operations: thread 0 counts, all meet at a barrier, all fence and read. Of two mistakes the detector says nothing:
// writes between the fence and the atomic operation, and a fence before the barrier in that pattern.
namespace heddle::simt {

void FenceOrder::fence(Thread& thread, bool device, const SharedMemory& shared) {
    (device ? thread.fenced_device : thread.fenced_block) = true;
    for (void* const address : of_block_)
        if (device || shared.contains(address)) race::acquire(address);
}

void FenceOrder::atomic(Thread& thread, void* address, const SharedMemory& shared) {
    // A fence of the block's scope orders nothing for other blocks: it counts for shared memory only.
    if (thread.fenced_device || (thread.fenced_block && shared.contains(address))) {
        race::release(address);
        released_.insert(address);
    }
    if (released_.contains(address)) of_block_.insert(address);
}

HEDDLE_API void note_fence(bool device, Location at) {
    Scheduler& scheduler = Scheduler::active();
    if (scheduler.skips(at) || !race::enabled) return;
    const race::Unseen unseen;
    scheduler.fences().fence(scheduler.thread(), device, scheduler.shared());
}

HEDDLE_API void note_atomic(void* address) {
    if (!race::enabled) return;
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    scheduler.fences().atomic(scheduler.thread(), address, scheduler.shared());
}

}  // namespace heddle::simt
