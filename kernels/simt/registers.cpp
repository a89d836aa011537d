#include "kernels/simt/registers.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "kernels/simt/hopper_runtime.h"
#include "kernels/simt/race.h"
#include "kernels/simt/report.h"
#include "kernels/simt/scheduler.h"

namespace heddle::simt {
namespace {

constexpr unsigned all_lanes = 0xffffffffu, of_multiprocessor = 65536, most_of_thread = 256;

const char* name_of(bool more) { return more ? "take_registers" : "give_back_registers"; }

}  // namespace

void Registers::begin_block() {
    warps_.clear();
    waiting_.clear();
    pool_ = 0;
}

void Registers::change(unsigned count, bool more, Scheduler& scheduler, Location at) {
    const Thread& thread = scheduler.thread();
    if (thread.warp() / 4 * 128 + 128 > scheduler.thread_count())
        simt::fail(at, fmt::format("{} in a warpgroup of fewer than four warps", name_of(more)));
    warp_exchange(all_lanes, &count, sizeof(count), name_of(more), at);
    if (thread.lane() == 0) move(count, more, scheduler, at);
    warp_exchange(all_lanes, nullptr, 0, name_of(more), at);  // lane 0 has what the warp asked for
}

void Registers::move(unsigned count, bool more, Scheduler& scheduler, Location at) {
    const Thread& thread = scheduler.thread();
    if (warps_.empty()) {
        const unsigned number = scheduler.thread_count() / 32;
        warps_.assign(number, {std::min(of_multiprocessor / (number * 32) / 8 * 8, most_of_thread)});
    }
    Warp& warp = warps_[thread.warp()];
    if (more ? count < warp.count : count > warp.count)
        simt::fail(at, fmt::format("{}: {} of a warp that has {}", name_of(more), count, warp.count));
    const std::size_t turn = warp.changes.size();
    warp.changes.push_back(count);
    for (unsigned other = thread.warp() / 4 * 4; other < thread.warp() / 4 * 4 + 4; ++other)
        if (warps_[other].changes.size() > turn && warps_[other].changes[turn] != count)
            simt::fail(at, fmt::format("{}: the warps of a warpgroup name different numbers, {} and {}", name_of(more),
                                       count, warps_[other].changes[turn]));
    if (more) {
        const unsigned wanted = (count - warp.count) * 32;
        while (pool_ < wanted) {
            waiting_.push_back(thread.number);
            scheduler.park(Thread::State::in_warp, name_of(more), at);
        }
        pool_ -= wanted;
    } else {
        pool_ += (warp.count - count) * 32;
        for (const unsigned number : std::exchange(waiting_, {})) scheduler.wake(number);
    }
    warp.count = count;
}

std::string Registers::unfinished() const {
    for (std::size_t i = 0; i < warps_.size(); ++i)
        if (i / 4 * 4 + 4 <= warps_.size() && warps_[i].changes.size() != warps_[i / 4 * 4].changes.size())
            return fmt::format("of warpgroup {} one warp has changed its registers {} times, another {}", i / 4,
                               warps_[i / 4 * 4].changes.size(), warps_[i].changes.size());
    return {};
}

void change_registers(unsigned count, bool more, Location at) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    scheduler.registers().change(count, more, scheduler, at);
}

}  // namespace heddle::simt
