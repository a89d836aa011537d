#include <cstring>

#include "core/check.h"
#include "core/export.h"
#include "kernels/simt/race.h"
#include "kernels/simt/scheduler.h"

namespace heddle::simt {

// Shared memory. ------------------------------------------------------------------------------------------------------

HEDDLE_API void* shared_array(const SharedArray& array, std::size_t bytes, std::size_t alignment) {
    return Scheduler::active().shared().array(array, bytes, alignment);
}

HEDDLE_API void* shared_dynamic() { return Scheduler::active().shared().dynamic(); }

// Async copies: nothing at the start, everything at the wait, which is as late as a GPU may be. -----------------------

HEDDLE_API void copy_async(void* to, const void* from, unsigned bytes, bool wanted, Location at) {
    Scheduler& scheduler = Scheduler::active();
    check_aligned(to, bytes, at);
    if (wanted) check_aligned(from, bytes, at);
    if (!scheduler.shared().contains(to)) fail(at, "an async copy to what is not shared memory");
    race::note_write(to, bytes);
    std::memset(to, 0xff, bytes);
    const race::Unseen unseen;
    Thread& thread = scheduler.thread();
    thread.copies.push_back({to, from, bytes, wanted, thread.copy_group});
}

HEDDLE_API void copy_async_commit(Location at) {
    Scheduler& scheduler = Scheduler::active();
    if (!scheduler.skips(at)) ++scheduler.thread().copy_group;
}

HEDDLE_API void copy_async_wait(unsigned groups, Location at) {
    Scheduler& scheduler = Scheduler::active();
    if (scheduler.skips(at)) return;
    Thread& thread = scheduler.thread();
    std::erase_if(thread.copies, [&](const AsyncCopy& copy) {
        if (copy.group + groups >= thread.copy_group) return false;
        race::note_write(copy.to, copy.bytes);
        if (copy.wanted) {
            race::note_read(copy.from, copy.bytes);
            const race::Unseen unseen;
            std::memcpy(copy.to, copy.from, copy.bytes);
        } else {
            const race::Unseen unseen;
            std::memset(copy.to, 0, copy.bytes);
        }
        return true;
    });
}

}  // namespace heddle::simt
