#include "kernels/simt/scheduler.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <exception>
#include <map>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "kernels/simt/builtins.h"
#include "kernels/simt/race.h"
#include "kernels/simt/report.h"

namespace heddle::simt {

constinit thread_local Scheduler* Scheduler::active_ = nullptr;

Scheduler& Scheduler::of_this_os_thread() {
    thread_local const std::unique_ptr<Scheduler> instance(new Scheduler);
    active_ = instance.get();
    return *instance;
}

// The grid. -----------------------------------------------------------------------------------------------------------

void Scheduler::begin_grid() {
    const dim3 block = launch_.block;
    count_ = block.x * block.y * block.z;
    blockDim = block;
    gridDim = launch_.grid;
    options_ = options();
    random_state_ = options_.seed;
    fences_.begin_grid();
    threads_.resize(count_);
    turn_.resize(count_);
    if (warps_.size() < (count_ + 31) / 32) warps_.resize((count_ + 31) / 32);
    for (unsigned i = 0; i < count_; ++i) {
        threads_[i].number = i;
        threads_[i].index = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
        turn_[i] = options_.order == ThreadOrder::reverse ? count_ - 1 - i : i;
    }
    if (race::enabled)  // made here: a context inherits the clock of the one that makes it
        for (auto& contexts : contexts_)
            while (contexts.size() < count_) {
                contexts.push_back(&new_fiber());
                race::name_context(contexts.back()->race_context,
                                   fmt::format("number {} of its block", contexts.size() - 1).c_str());
            }
}

void Scheduler::run(const Launch& launch, void (*body)(const void*), const void* call) {
    check(!in_kernel(), "{}: a kernel cannot launch another", launch.operation);
    launch_ = launch;
    body_ = body;
    call_ = call;
    race::release(&launched_);
    {
        const race::Unseen unseen;
        begin_grid();
    }
    const struct Finish {  // with an error, too
        char* object;
        ~Finish() { race::acquire(object); }
    } finish{&finished_};
    const dim3 grid = launch.grid;
    const std::uint64_t blocks = static_cast<std::uint64_t>(grid.x) * grid.y * grid.z;
    // Random order: block i is number i * stride + start, all different where stride and the number of blocks are
    // coprime.
    std::uint64_t stride = 1, start = 0;
    if (options_.order == ThreadOrder::random) {
        stride = random() % blocks | 1;
        while (std::gcd(stride, blocks) != 1) stride += 2;
        start = random() % blocks;
    }
    for (std::uint64_t i = 0; i < blocks; ++i) {
        const std::uint64_t number =
            options_.order == ThreadOrder::reverse ? blocks - 1 - i : (i * (stride % blocks) + start) % blocks;
        blockIdx = {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
                    static_cast<unsigned>(number / grid.x / grid.y)};
        run_block();
    }
}

// The block. ----------------------------------------------------------------------------------------------------------

void Scheduler::run_block() {
    shared_.begin_block(launch_.shared_bytes);
    live_ = count_;
    arrived_ = generation_ = 0;
    votes_ = {0, true, false};
    {
        const race::Unseen unseen;
        mbarriers_.begin_block();
        for (Warpgroup& warpgroup : warpgroups_) warpgroup = {};
        registers_.begin_block();
    }
    if (race::enabled) {
        const race::Unseen unseen;
        fences_.begin_block();
        barrier_objects_.renew();
        for (Warp& warp : warps_)
            for (auto& meeting : warp.meetings) meeting->barrier_objects.renew();
    }
    ready_begin_ = ready_end_ = 0;
    for (unsigned first = 0; first < count_; first += 32)
        warps_[first / 32].live = count_ - first < 32 ? (1u << (count_ - first)) - 1 : 0xffffffffu;
    for (Thread& thread : threads_) {
        thread.state = Thread::State::ready;
        thread.fiber = nullptr;
        thread.copy_group = 0;
        thread.products = nullptr;
        thread.fenced_device = thread.fenced_block = false;
    }
    shuffle_threads();
    for (const unsigned number : turn_) push_back(number);
    parity_ ^= 1;

    void* const host_context = race::current_context();
    const auto resume = [&](Fiber& fiber) {
        running_ = &fiber;
        host_.switch_to(fiber);
        running_ = &host_;
        current_ = nullptr;
        race::switch_to(host_context);
    };
    resume(fiber_for(*next_ready()));
    if (!error_.empty()) {
        cancelling_ = true;  // every stack unwinds, so that what kernels hold is released
        for (Thread& thread : threads_)
            if (thread.state != Thread::State::done && thread.fiber) resume(*thread.fiber);
        cancelling_ = false;
        for (Warp& warp : warps_)
            for (auto& meeting : warp.meetings) meeting->arrived = 0;
        heddle::fail(std::exchange(error_, {}));
    }
    std::string unfinished = mbarriers_.unfinished();
    for (unsigned i = 0; i < warpgroups_.size() && unfinished.empty(); ++i) unfinished = warpgroups_[i].unfinished(i);
    for (const Thread& thread : threads_)
        if (unfinished.empty() && thread.products && !thread.products->started.empty())
            unfinished = fmt::format("a thread has exited without a wgmma_wait for the product of {}",
                                     to_string(thread.products->started.front().at));
    if (unfinished.empty()) unfinished = registers_.unfinished();
    if (!unfinished.empty())
        heddle::fail(fmt::format("{}: block ({}, {}, {}): {}", launch_.operation, blockIdx.x, blockIdx.y, blockIdx.z,
                                 unfinished));
    if (const std::string place = shared_.overrun(); !place.empty())
        heddle::fail(fmt::format("{}: block ({}, {}, {}) has written {}", launch_.operation, blockIdx.x, blockIdx.y,
                                 blockIdx.z, place));
}

/// Of the statement's line, perhaps in another file.
bool Scheduler::is_skipped(const Location& at) const {
    const race::Unseen unseen;
    if (source_name(at.file_name()) != options_.skip.file) return false;
    static constinit std::atomic<bool> reported = false;  // a lock would order threads for the race detector
    if (!reported.exchange(true)) fmt::print(stderr, "simulator: {} is skipped\n", to_string(at));
    return true;
}

void Scheduler::enter(Thread& thread) {
    current_ = &thread;
    threadIdx = thread.index;
    race::switch_to(thread.fiber->race_context);
}

/// Null where no thread is ready. Copies of boxes end when nobody can go on without them.
Thread* Scheduler::next_ready() {
    while (ready_begin_ == ready_end_)
        if (!mbarriers_.finish_copy(*this, error_)) return nullptr;
    return &threads_[ready_[ready_begin_++ % ready_.size()]];
}

/// The fiber on which a thread goes on, or starts.
Fiber& Scheduler::fiber_for(Thread& thread) {
    if (thread.fiber) return *thread.fiber;
    Fiber* fiber = nullptr;
    if (race::enabled) {
        // Stack, context and number of a thread stay together: another context on the same stack would race with it.
        // Neighbouring blocks use different ones: their threads are not ordered.
        fiber = contexts_[parity_][thread.number];
    } else if (idle_.empty()) {
        fiber = &new_fiber();
    } else {
        fiber = idle_.back();
        idle_.pop_back();
    }
    fiber->first = &thread;
    return *fiber;
}

Fiber& Scheduler::new_fiber() {
    fibers_.push_back(std::make_unique<Fiber>(&fiber_main, fibers_.size()));
    return *fibers_.back();
}

void Scheduler::fiber_main() {
    Scheduler& scheduler = active();
    scheduler.running_->arrived();
    scheduler.run_threads(*scheduler.running_);
}

/// The loop of a fiber: it takes threads that have not started, one after another, until it comes to one that waits on
/// another fiber. A kernel without barriers is a plain loop on one stack.
void Scheduler::run_threads(Fiber& fiber) {
    for (;;) {
        Thread* thread = fiber.first;
        for (;;) {
            thread->fiber = &fiber;
            enter(*thread);
            const bool ended = run_thread(*thread);
            thread = ended && live_ > 0 ? next_ready() : nullptr;
            if (ended && live_ > 0 && !thread) report_deadlock();
            if (!thread || thread->fiber || race::enabled) break;
        }
        if (!race::enabled) idle_.push_back(&fiber);
        running_ = thread ? &fiber_for(*thread) : &host_;
        fiber.switch_to(*running_);
    }
}

/// False where the block ends with an error.
bool Scheduler::run_thread(Thread& thread) {
    race::acquire(&launched_);
    bool ended = false;
    try {
        body_(call_);
        finish(thread);
        ended = true;
    } catch (const Cancelled&) {
    } catch (const std::exception& error) {
        const race::Unseen unseen;
        error_ = error.what();
    }
    thread.state = Thread::State::done;
    thread.copies.clear();  // nobody can have waited for them
    race::release(&finished_);
    return ended;
}

void Scheduler::finish(Thread& thread) {
    thread.state = Thread::State::done;
    --live_;
    leave_warp(thread);
}

void Scheduler::park(Thread::State state, const char* waits_for, Location at) {
    Thread& thread = *current_;
    thread.state = state;
    thread.waits_for = waits_for;
    thread.waits_at = at;
    Thread* next = next_ready();
    if (!next) {
        report_deadlock();
        throw Cancelled{};
    }
    if (next == &thread) return;
    Fiber& from = *thread.fiber;
    running_ = &fiber_for(*next);
    from.switch_to(*running_);
    enter(thread);
    if (cancelling_) throw Cancelled{};
}

/// Threads live, none is ready: those who wait will wait for ever.
void Scheduler::report_deadlock() {
    const race::Unseen unseen;
    if (!error_.empty()) return;                                       // a copy was found wrong
    std::map<std::string, std::pair<unsigned, const Thread*>> groups;  // how many do the same, and the first of them
    for (const Thread& thread : threads_) {
        auto& group =
            groups[thread.state == Thread::State::done
                       ? "have exited"
                       : fmt::format("wait in {} at {}{}", thread.waits_for, to_string(thread.waits_at),
                                     thread.state == Thread::State::at_mbarrier ? mbarriers_.missing(thread.mbarrier)
                                                                                : std::string())];
        if (group.first++ == 0) group.second = &thread;
    }
    error_ = fmt::format("{}: deadlock in block ({}, {}, {})", launch_.operation, blockIdx.x, blockIdx.y, blockIdx.z);
    for (const auto& [what, group] : groups) {
        const uint3 first = group.second->index;
        error_ += fmt::format("; {} of {} threads {}, the first of them ({}, {}, {})", group.first, count_, what,
                              first.x, first.y, first.z);
    }
}

// Order. --------------------------------------------------------------------------------------------------------------

std::uint64_t Scheduler::random() {  // splitmix64
    std::uint64_t bits = random_state_ += 0x9e3779b97f4a7c15u;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
    return bits ^ bits >> 31;
}

void Scheduler::shuffle_threads() {
    if (options_.order != ThreadOrder::random) return;
    for (unsigned i = count_; i > 1; --i) std::swap(turn_[i - 1], turn_[random() % i]);
}

void Scheduler::wake(unsigned number) {
    threads_[number].state = Thread::State::ready;
    push_front(number);
}

void Scheduler::make_ready(unsigned warp, std::uint32_t lanes) {
    std::array<unsigned, 32> numbers{};
    unsigned count = 0;
    for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1)
        numbers[count++] = warp * 32 + static_cast<unsigned>(std::countr_zero(rest));
    // They go to the front of the ring, the first one last.
    if (options_.order == ThreadOrder::random)
        for (unsigned i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[random() % i]);
    if (options_.order == ThreadOrder::forward) std::reverse(numbers.begin(), numbers.begin() + count);
    for (unsigned i = 0; i < count; ++i) {
        threads_[numbers[i]].state = Thread::State::ready;
        push_front(numbers[i]);
    }
}

}  // namespace heddle::simt
