#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/simt/race.h"
#include "kernels/simt/runtime.h"

namespace heddle::simt {

/// Where lanes of a warp that name the same mask meet.
struct Rendezvous {
    std::uint32_t mask = 0;
    std::uint32_t expected = 0;  ///< lanes of the mask that have not exited
    std::uint32_t arrived = 0;
    unsigned generation = 0;
    const char* name = "";
    Location at = {};
    Combine combine = nullptr;
    /// Lanes read their operands in turn, while early ones may have given the next: two sets.
    std::array<Operands, 2> operands = {};
    race::Objects barrier_objects;

    Operands& current() { return operands[generation % 2]; }
};

struct Thread;

struct Warp {
    std::uint32_t live = 0;  ///< lanes that have not exited
    std::vector<std::unique_ptr<Rendezvous>> meetings;

    Rendezvous& meeting(std::uint32_t mask) {
        for (const auto& meeting : meetings)
            if (meeting->mask == mask) return *meeting;
        return add_meeting(mask);
    }

  private:
    Rendezvous& add_meeting(std::uint32_t mask);
};

/// A thread exits: those who wait for it need not.
void leave_warp(const Thread& thread);

}  // namespace heddle::simt
