#include <utility>

#include "core/check.h"
#include "core/export.h"
#include "kernels/simt/race.h"
#include "kernels/simt/report.h"
#include "kernels/simt/scheduler.h"

namespace heddle::simt {

/// All threads of the block, none of which may have exited, in one place of the source. Where it is skipped, a thread
/// sees its own vote.
Votes Scheduler::barrier(bool predicate, Location at) {
    if (skips(at)) return {predicate, predicate, predicate};
    Thread& thread = *current_;
    if (arrived_ == 0) {
        barrier_at_ = at;
        first_arrived_ = thread.number;
    } else if (!same_place(barrier_at_, at)) {
        const race::Unseen unseen;
        const uint3 other = threads_[first_arrived_].index;
        simt::fail(at, fmt::format("divergent barriers: this thread is at this one, thread ({}, {}, {}) waits at {}",
                                   other.x, other.y, other.z, to_string(barrier_at_)));
    }
    votes_.count += predicate;
    votes_.all = votes_.all && predicate;
    votes_.any = votes_.any || predicate;
    void* const object = barrier_objects_.at(generation_);
    race::release(object);
    if (++arrived_ == count_) {
        thread.state = Thread::State::at_barrier;
        open_barrier();
        park(Thread::State::ready, "__syncthreads", at);
    } else {
        park(Thread::State::at_barrier, "__syncthreads", at);
    }
    race::acquire(object);
    return result_;
}

void Scheduler::open_barrier() {
    result_ = std::exchange(votes_, {0, true, false});
    arrived_ = 0;
    ++generation_;
    shuffle_threads();
    for (const unsigned number : turn_) {
        threads_[number].state = Thread::State::ready;
        push_back(number);
    }
}

HEDDLE_API Votes block_barrier(bool predicate, Location at) { return Scheduler::active().barrier(predicate, at); }

}  // namespace heddle::simt
