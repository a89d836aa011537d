#include "kernels/simt/warp.h"

#include <bit>
#include <cstring>

#include "core/check.h"
#include "core/export.h"
#include "kernels/simt/race.h"
#include "kernels/simt/report.h"
#include "kernels/simt/scheduler.h"

namespace heddle::simt {
namespace {

constexpr int absent = 0xff;  // in every byte of a lane that is not there: NaN

/// All are there: they may go on.
void complete(Rendezvous& meeting, unsigned warp) {
    if (meeting.combine) meeting.combine(meeting.current());
    Scheduler::active().make_ready(warp, meeting.arrived);
    meeting.arrived = 0;
    ++meeting.generation;
}

void begin(Rendezvous& meeting, const Warp& warp, const char* name, Location at, Combine combine) {
    meeting.name = name;
    meeting.at = at;
    meeting.combine = combine;
    meeting.expected = meeting.mask & warp.live;
    for (std::uint32_t others = ~meeting.expected; others != 0; others &= others - 1)
        std::memset(meeting.current().lane[std::countr_zero(others)], absent, operand_bytes);
}

[[noreturn]] void fail_mask(const Thread& thread, std::uint32_t mask, const char* name, Location at) {
    fail(at, fmt::format("{}: lane {} is not in the mask {:#010x} that it names", name, thread.lane(), mask));
}

[[noreturn]] void fail_elsewhere(const Thread& thread, const Rendezvous& meeting, const char* name, Location at) {
    fail(at, fmt::format("{}: lane {} is here, other lanes of the mask {:#010x} wait in {} at {}", name, thread.lane(),
                         meeting.mask, meeting.name, to_string(meeting.at)));
}

/// Waits for the other lanes, and returns what all have given.
const Operands& meet(Scheduler& scheduler, Rendezvous& meeting, const void* operand, std::size_t bytes,
                     const char* name, Location at, Combine combine) {
    const Thread& thread = scheduler.thread();
    const std::uint32_t bit = 1u << thread.lane();
    if ((meeting.mask & bit) == 0) [[unlikely]]
        fail_mask(thread, meeting.mask, name, at);
    if (meeting.arrived == 0)
        begin(meeting, scheduler.warp(thread.warp()), name, at, combine);
    else if (!same_place(meeting.at, at) || (meeting.name != name && std::strcmp(meeting.name, name) != 0)) [[unlikely]]
        fail_elsewhere(thread, meeting, name, at);
    Operands& operands = meeting.current();
    if (bytes == 4)
        std::memcpy(operands.lane[thread.lane()], operand, 4);
    else if (bytes > 0)
        std::memcpy(operands.lane[thread.lane()], operand, bytes);
    meeting.arrived |= bit;
    if (meeting.arrived == meeting.expected) {
        complete(meeting, thread.warp());
        scheduler.park(Thread::State::ready, name, at);
    } else {
        scheduler.park(Thread::State::in_warp, name, at);
    }
    return operands;
}

Rendezvous& meeting_of(Scheduler& scheduler, unsigned mask) {
    return scheduler.warp(scheduler.thread().warp()).meeting(mask);
}

}  // namespace

Rendezvous& Warp::add_meeting(std::uint32_t mask) {
    meetings.push_back(std::make_unique<Rendezvous>());
    meetings.back()->mask = mask;
    meetings.back()->barrier_objects.renew();
    return *meetings.back();
}

void leave_warp(const Thread& thread) {
    const std::uint32_t bit = 1u << thread.lane();
    Warp& warp = Scheduler::active().warp(thread.warp());
    warp.live &= ~bit;
    for (const auto& meeting : warp.meetings) {
        if (meeting->arrived == 0 || (meeting->expected & bit) == 0) continue;
        meeting->expected &= ~bit;
        const race::Unseen unseen;
        std::memset(meeting->current().lane[thread.lane()], absent, operand_bytes);
        if (meeting->arrived == meeting->expected) complete(*meeting, thread.warp());
    }
}

HEDDLE_API const Operands& warp_exchange(unsigned mask, const void* operand, std::size_t bytes, const char* name,
                                         Location at, Combine combine) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    return meet(scheduler, meeting_of(scheduler, mask), operand, bytes, name, at, combine);
}

HEDDLE_API void warp_barrier(unsigned mask, Location at) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    if (scheduler.skips(at)) return;
    Rendezvous& meeting = meeting_of(scheduler, mask);
    void* const object = meeting.barrier_objects.at(meeting.generation);
    race::release(object);
    meet(scheduler, meeting, nullptr, 0, "__syncwarp", at, nullptr);
    race::acquire(object);
}

HEDDLE_API unsigned lane_index() { return Scheduler::active().thread().lane(); }

}  // namespace heddle::simt
