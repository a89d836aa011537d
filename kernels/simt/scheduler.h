#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernels/simt/control.h"
#include "kernels/simt/fiber.h"
#include "kernels/simt/mbarriers.h"
#include "kernels/simt/race.h"
#include "kernels/simt/registers.h"
#include "kernels/simt/runtime.h"
#include "kernels/simt/shared_memory.h"
#include "kernels/simt/warp.h"
#include "kernels/simt/warpgroup.h"

namespace heddle::simt {

inline constexpr unsigned most_threads = 1024;  // of a block

/// A copy that a thread has started and not waited for.
struct AsyncCopy {
    void* to;
    const void* from;
    unsigned bytes;
    bool wanted;
    unsigned group;
};

/// A CUDA thread of the running block.
struct Thread {
    enum class State : std::uint8_t { ready, at_barrier, in_warp, at_mbarrier, done };

    uint3 index{};
    unsigned number = 0;  ///< in the block, x first
    State state = State::ready;
    Fiber* fiber = nullptr;  ///< null until it starts
    const char* waits_for = "";
    Location waits_at = {};
    std::vector<AsyncCopy> copies = {};
    unsigned copy_group = 0;
    const void* mbarrier = nullptr;                    ///< that it waits for
    std::unique_ptr<Products> products = {};           ///< of its warpgroup; null where it has never started one
    bool fenced_device = false, fenced_block = false;  ///< for the race detector (fence.cpp)

    unsigned lane() const { return number % 32; }
    unsigned warp() const { return number / 32; }
};

/// What fences and atomic operations order (fence.cpp).
class FenceOrder {
  public:
    void begin_grid() { released_.clear(); }
    void begin_block() { of_block_.clear(); }
    void fence(Thread& thread, bool device, const SharedMemory& shared);
    void atomic(Thread& thread, void* address, const SharedMemory& shared);

  private:
    std::set<void*> released_;  ///< addresses of atomic operations that came after a fence
    std::set<void*> of_block_;  ///< of those, where this block has done some
};

/// Runs the blocks of a grid one after another, and the threads of each in turns: a thread runs until it has to wait,
/// then the next one that is ready. One per OS thread.
class Scheduler {
  public:
    /// The one that runs the calling kernel thread.
    static Scheduler& active() { return *active_; }
    static Scheduler& of_this_os_thread();

    void run(const Launch& launch, void (*body)(const void*), const void* call);

    // For what kernels call, in a thread of theirs.
    bool in_kernel() const { return current_ != nullptr; }
    Thread& thread() { return *current_; }
    Thread& thread(unsigned number) { return threads_[number]; }
    unsigned thread_count() const { return count_; }
    Warp& warp(unsigned number) { return warps_[number]; }
    SharedMemory& shared() { return shared_; }
    FenceOrder& fences() { return fences_; }
    Mbarriers& mbarriers() { return mbarriers_; }
    Warpgroup& warpgroup(unsigned number) { return warpgroups_[number]; }
    Registers& registers() { return registers_; }
    const Options& running_options() const { return options_; }
    const char* operation() const { return launch_.operation; }
    /// Whether this statement is the one to run as if it were not there (control.h).
    bool skips(const Location& at) const {
        if (at.line() != options_.skip.line) [[likely]]
            return false;
        return is_skipped(at);
    }
    Votes barrier(bool predicate, Location at);
    /// The calling thread waits, until somebody makes it ready.
    void park(Thread::State state, const char* waits_for, Location at);
    /// Lanes of a warp go on, before others: in the thread order.
    void make_ready(unsigned warp, std::uint32_t lanes);
    /// A thread goes on, before others.
    void wake(unsigned number);
    std::uint64_t random();

  private:
    static constinit thread_local Scheduler* active_;

    struct Cancelled {};  // thrown through the stacks of threads that will not go on

    bool is_skipped(const Location& at) const;
    static void fiber_main();
    void begin_grid();
    void run_block();
    void run_threads(Fiber& fiber);
    bool run_thread(Thread& thread);
    void finish(Thread& thread);
    void open_barrier();
    void enter(Thread& thread);
    Thread* next_ready();
    Fiber& fiber_for(Thread& thread);
    Fiber& new_fiber();
    void report_deadlock();

    void shuffle_threads();
    void push_back(unsigned number) { ready_[ready_end_++ % ready_.size()] = number; }
    void push_front(unsigned number) { ready_[--ready_begin_ % ready_.size()] = number; }

    // The grid.
    Launch launch_;
    void (*body_)(const void*) = nullptr;
    const void* call_ = nullptr;
    Options options_;
    std::uint64_t random_state_ = 0;
    char launched_ = 0, finished_ = 0;  ///< for the race detector: host and threads meet here

    // The block.
    unsigned count_ = 0, live_ = 0;
    std::vector<Thread> threads_;
    std::vector<Warp> warps_;
    std::vector<unsigned> turn_;  ///< threads in the order in which they run
    SharedMemory shared_;
    Thread* current_ = nullptr;
    std::string error_;
    bool cancelling_ = false;
    std::array<unsigned, 2 * most_threads> ready_{};  ///< a ring
    unsigned ready_begin_ = 0, ready_end_ = 0;

    // Its barrier.
    unsigned arrived_ = 0, generation_ = 0, first_arrived_ = 0;
    Location barrier_at_ = {};
    Votes votes_{}, result_{};
    race::Objects barrier_objects_;
    FenceOrder fences_;
    Mbarriers mbarriers_;
    std::array<Warpgroup, most_threads / 128> warpgroups_;
    Registers registers_;

    // Fibers.
    Fiber host_;
    Fiber* running_ = &host_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Fiber*> idle_;
    std::array<std::vector<Fiber*>, 2> contexts_;  ///< for the race detector: of each thread, in odd and even blocks
    unsigned parity_ = 0;
};

}  // namespace heddle::simt
