#include "kernels/simt/warp.h"

#include <cstring>

#include "core/check.h"
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

void begin(Rendezvous& meeting, const Thread& thread, const char* name, Location at, Combine combine) {
    Scheduler& scheduler = Scheduler::active();
    meeting.name = name;
    meeting.at = at;
    meeting.combine = combine;
    meeting.expected = 0;
    for (unsigned lane = 0; lane < 32; ++lane) {
        const unsigned number = thread.warp() * 32 + lane;
        const bool there = (meeting.mask >> lane & 1) != 0 && number < scheduler.thread_count() &&
                           scheduler.thread(number).state != Thread::State::done;
        if (there)
            meeting.expected |= 1u << lane;
        else
            std::memset(meeting.current().lane[lane], absent, operand_bytes);
    }
}

/// Waits in the meeting of `mask`, with the operand given; returns the meeting's generation.
Rendezvous& meet(unsigned mask, const void* operand, std::size_t bytes, const char* name, Location at,
                 Combine combine) {
    Scheduler& scheduler = Scheduler::active();
    const Thread& thread = scheduler.thread();
    const unsigned lane = thread.lane();
    if ((mask >> lane & 1) == 0)
        fail(at, fmt::format("{}: lane {} is not in the mask {:#010x} that it names", name, lane, mask));
    Rendezvous& meeting = scheduler.warp(thread.warp()).meeting(mask);
    if (meeting.arrived == 0)
        begin(meeting, thread, name, at, combine);
    else if (!same_place(meeting.at, at) || std::strcmp(meeting.name, name) != 0)
        fail(at, fmt::format("{}: lane {} is here, other lanes of the mask {:#010x} wait in {} at {}", name, lane, mask,
                             meeting.name, to_string(meeting.at)));
    if (bytes > 0) std::memcpy(meeting.current().lane[lane], operand, bytes);
    meeting.arrived |= 1u << lane;
    if (meeting.arrived == meeting.expected) {
        complete(meeting, thread.warp());
        scheduler.park(Thread::State::ready, name, at);
    } else {
        scheduler.park(Thread::State::in_warp, name, at);
    }
    return meeting;
}

}  // namespace

Rendezvous& Warp::meeting(std::uint32_t mask) {
    for (const auto& meeting : meetings)
        if (meeting->mask == mask) return *meeting;
    meetings.push_back(std::make_unique<Rendezvous>());
    meetings.back()->mask = mask;
    meetings.back()->barrier_objects.renew();
    return *meetings.back();
}

void leave_warp(const Thread& thread) {
    const std::uint32_t bit = 1u << thread.lane();
    for (const auto& meeting : Scheduler::active().warp(thread.warp()).meetings) {
        if (meeting->arrived == 0 || (meeting->expected & bit) == 0) continue;
        meeting->expected &= ~bit;
        const race::Unseen unseen;
        std::memset(meeting->current().lane[thread.lane()], absent, operand_bytes);
        if (meeting->arrived == meeting->expected) complete(*meeting, thread.warp());
    }
}

const Operands& warp_exchange(unsigned mask, const void* operand, std::size_t bytes, const char* name, Location at,
                              Combine combine) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    Warp& warp = scheduler.warp(scheduler.thread().warp());
    const unsigned generation = warp.meeting(mask).generation;
    return meet(mask, operand, bytes, name, at, combine).operands[generation % 2];
}

void warp_barrier(unsigned mask, Location at) {
    Scheduler& scheduler = Scheduler::active();
    const race::Unseen unseen;
    Rendezvous& meeting = scheduler.warp(scheduler.thread().warp()).meeting(mask);
    void* const object = meeting.barrier_objects.at(meeting.generation);
    race::release(object);
    meet(mask, nullptr, 0, "__syncwarp", at, nullptr);
    race::acquire(object);
}

unsigned lane_index() { return Scheduler::active().thread().lane(); }

}  // namespace heddle::simt
