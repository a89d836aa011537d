#include "kernels/simt/mbarriers.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "kernels/simt/race.h"
#include "kernels/simt/report.h"
#include "kernels/simt/scheduler.h"

namespace heddle::simt {
namespace {

constexpr unsigned row_bytes = 128, pattern_bytes = 1024;

/// The columns of a box that lie in the matrix, in one of its rows.
struct Span {
    const char* from;
    unsigned first, count;  ///< of the box's 64
};

Span span_of(const BoxMap& map, int column, int row, int item) {
    const auto inside = [](int index, std::uint64_t extent) {
        return index >= 0 && static_cast<std::uint64_t>(index) < extent;
    };
    if (!inside(row, map.rows) || !inside(item, map.items)) return {nullptr, 0, 0};
    const std::int64_t begin = std::max(column, 0);
    const std::int64_t end = std::min<std::int64_t>(column + 64, static_cast<std::int64_t>(map.columns));
    if (begin >= end) return {nullptr, 0, 0};
    return {map.data + static_cast<std::uint64_t>(item) * map.item_bytes +
                static_cast<std::uint64_t>(row) * map.row_bytes + begin * 2,
            static_cast<unsigned>(begin - column), static_cast<unsigned>(end - begin)};
}

/// The 128-byte swizzle: of each row of 128 bytes, piece p of 16 lies in place p ^ (the row's number % 8). `to` is
/// where the pattern begins.
void place_row(char* to, unsigned row, const char (&bytes)[row_bytes]) {
    for (unsigned piece = 0; piece < 8; ++piece)
        std::memcpy(to + row * row_bytes + ((piece ^ row % 8) * 16), bytes + piece * 16, 16);
}

}  // namespace

void Mbarriers::begin_block() {
    states_.clear();
    copies_.clear();
}

Mbarriers::State& Mbarriers::find(const void* barrier, Location at) {
    const auto found = states_.find(barrier);
    if (found == states_.end()) simt::fail(at, "an mbarrier that nobody has initialised");
    return found->second;
}

void Mbarriers::init(const void* barrier, unsigned arrivals, Scheduler& scheduler, Location at) {
    check_aligned(barrier, 8, at);
    if (!scheduler.shared().contains(barrier)) simt::fail(at, "an mbarrier that does not lie in shared memory");
    if (arrivals == 0 || arrivals >= 1u << 20) simt::fail(at, fmt::format("an mbarrier for {} arrivals", arrivals));
    State& state = states_[barrier];
    state = {.arrivals = arrivals, .pending = arrivals, .maker = scheduler.thread().number};
    state.objects.renew();
}

void Mbarriers::fence(unsigned thread) {
    for (auto& [barrier, state] : states_)
        if (state.maker == thread) state.fenced = true;
}

void Mbarriers::complete_if_due(State& state, Scheduler& scheduler) {
    if (state.pending > 0 || state.bytes != 0) return;
    ++state.phase;
    state.pending = state.arrivals;
    for (const unsigned thread : state.waiting) scheduler.wake(thread);
    state.waiting.clear();
}

void Mbarriers::arrive(const void* barrier, unsigned bytes, Scheduler& scheduler, Location at) {
    State& state = find(barrier, at);
    if (state.pending == 0)
        simt::fail(at, fmt::format("arrives at an mbarrier more often than the {} times that its phase has{}",
                                   state.arrivals, missing(barrier)));
    race::release(state.objects.at(state.phase));
    state.bytes += bytes;
    --state.pending;
    // Who waits goes on before this thread does: as early as it may, so that an arrival that comes too early shows.
    const bool ends_waiting = state.pending == 0 && state.bytes == 0 && !state.waiting.empty();
    if (ends_waiting) scheduler.wake(scheduler.thread().number);
    complete_if_due(state, scheduler);
    if (ends_waiting) scheduler.park(Thread::State::ready, "mbarrier_arrive", at);
}

void Mbarriers::wait(const void* barrier, unsigned parity, Scheduler& scheduler, Location at) {
    if (parity > 1) simt::fail(at, fmt::format("waits for parity {} of an mbarrier: 0 or 1", parity));
    State& state = find(barrier, at);
    Thread& thread = scheduler.thread();
    while ((state.phase & 1) == parity) {
        state.waiting.push_back(thread.number);
        thread.mbarrier = barrier;
        scheduler.park(Thread::State::at_mbarrier, "mbarrier_wait", at);
    }
    race::acquire(state.objects.at(state.phase - 1));
}

void Mbarriers::start_copy(char* to, const BoxMap& map, int column, int row, int item, const void* barrier,
                           Scheduler& scheduler, Location at) {
    State& state = find(barrier, at);
    if (!state.fenced)
        simt::fail(at, "a copy reports to an mbarrier that its maker has not made visible with fence_async");
    if (!scheduler.shared().contains(to)) simt::fail(at, "a copy of a box to what is not shared memory");
    if (reinterpret_cast<std::uintptr_t>(to) % pattern_bytes != 0) fail_misaligned(to, pattern_bytes, at);
    const Copy copy{to, map, column, row, item, barrier, at};
    if (const Location* other = copy_into(to, to + copy.bytes()))
        simt::fail(at, fmt::format("a copy of a box to where the one of {} is under way", to_string(*other)));
    for (unsigned i = 0; i < scheduler.thread_count() / 32; ++i)
        if (const Thread& reader = scheduler.thread(i * 32); reader.products)
            if (const Location* other = reader.products->reading(to, to + copy.bytes(), scheduler.shared()))
                simt::fail(at, fmt::format("a copy of a box to what the product of {} still reads", to_string(*other)));
    for (unsigned r = 0; r < map.box_rows; ++r)
        if (const Span span = span_of(map, column, row + static_cast<int>(r), item); span.count > 0)
            race::note_read(span.from, span.count * std::size_t{2});
    race::note_write(to, copy.bytes());
    race::release(state.objects.at(state.phase));
    const race::Unseen unseen;  // what is written here, the detector has been told of
    std::memset(to, 0xff, copy.bytes());
    copies_.push_back(copy);
}

bool Mbarriers::finish_copy(Scheduler& scheduler, std::string& error) {
    if (copies_.empty() || !error.empty()) return false;
    const race::Unseen unseen;
    std::size_t index = 0;
    if (scheduler.running_options().order == ThreadOrder::reverse) index = copies_.size() - 1;
    if (scheduler.running_options().order == ThreadOrder::random) index = scheduler.random() % copies_.size();
    const Copy copy = copies_[index];
    copies_.erase(copies_.begin() + static_cast<std::ptrdiff_t>(index));
    for (unsigned r = 0; r < copy.map.box_rows; ++r) {
        char bytes[row_bytes] = {};
        const Span span = span_of(copy.map, copy.column, copy.row + static_cast<int>(r), copy.item);
        if (span.count > 0) std::memcpy(bytes + span.first * 2, span.from, span.count * std::size_t{2});
        place_row(copy.to, r, bytes);
    }
    State& state = states_.at(copy.barrier);
    state.bytes -= copy.bytes();
    if (state.pending == 0 && state.bytes < 0) {
        error = fmt::format("{}: {}: a copy brings {} bytes more than its mbarrier was told to expect",
                            scheduler.operation(), to_string(copy.at), -state.bytes);
        return false;
    }
    complete_if_due(state, scheduler);
    return true;
}

const Location* Mbarriers::copy_into(const char* from, const char* to) const {
    for (const Copy& copy : copies_)
        if (copy.to < to && from < copy.to + copy.bytes()) return &copy.at;
    return nullptr;
}

std::string Mbarriers::missing(const void* barrier) const {
    const State& state = states_.at(barrier);
    return fmt::format(" (phase {} lacks {} of {} arrivals and {} bytes)", state.phase, state.pending, state.arrivals,
                       state.bytes);
}

std::string Mbarriers::unfinished() const {
    if (copies_.empty()) return {};
    return fmt::format("all threads have exited, and the copy of a box of {} is under way", to_string(copies_[0].at));
}

// What kernels call. --------------------------------------------------------------------------------------------------

void mbarrier_init(void* barrier, unsigned arrivals, Location at) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    scheduler.mbarriers().init(barrier, arrivals, scheduler, at);
    std::memset(barrier, 0, 8);
}

void mbarrier_arrive(void* barrier, unsigned bytes, Location at) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    if (!scheduler.skips(at)) scheduler.mbarriers().arrive(barrier, bytes, scheduler, at);
}

void mbarrier_wait(void* barrier, unsigned parity, Location at) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    if (!scheduler.skips(at)) scheduler.mbarriers().wait(barrier, parity, scheduler, at);
}

void fence_async(Location at) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    if (!scheduler.skips(at)) scheduler.mbarriers().fence(scheduler.thread().number);
}

void copy_box(void* to_shared, const BoxMap& map, int column, int row, int item, void* barrier, Location at) {
    Scheduler& scheduler = Scheduler::active();
    scheduler.mbarriers().start_copy(static_cast<char*>(to_shared), map, column, row, item, barrier, scheduler, at);
}

}  // namespace heddle::simt
