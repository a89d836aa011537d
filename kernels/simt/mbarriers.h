#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernels/simt/hopper_runtime.h"
#include "kernels/simt/race.h"

namespace heddle::simt {

class Scheduler;

/// The mbarriers of the running block, and the copies of boxes that report to them.
class Mbarriers {
  public:
    void begin_block();
    void init(const void* barrier, unsigned arrivals, Scheduler& scheduler, Location at);
    void fence(unsigned thread);
    void arrive(const void* barrier, unsigned bytes, Scheduler& scheduler, Location at);
    void wait(const void* barrier, unsigned parity, Scheduler& scheduler, Location at);
    void start_copy(char* to, const BoxMap& map, int column, int row, int item, const void* barrier,
                    Scheduler& scheduler, Location at);
    /// Ends one of the copies under way: the oldest, the newest or any, in the thread order. False where there is none,
    /// or where it is found wrong, which `error` then says.
    bool finish_copy(Scheduler& scheduler, std::string& error);

    /// Where the copy was started that is under way to some of these bytes; null where none is.
    const Location* copy_into(const char* from, const char* to) const;
    /// What a barrier still waits for, for messages.
    std::string missing(const void* barrier) const;
    /// What is wrong when the block ends; empty where all copies have.
    std::string unfinished() const;

  private:
    struct State {
        unsigned arrivals = 0;  ///< of each phase
        unsigned pending = 0;   ///< arrivals that this phase still waits for
        long long bytes = 0;    ///< announced, and not brought yet
        unsigned phase = 0;     ///< how many are complete
        unsigned maker = 0;     ///< the thread that initialised it
        bool fenced = false;    ///< by its maker, since then
        std::vector<unsigned> waiting = {};
        race::Objects objects = {};  ///< by phase, for the race detector
    };
    struct Copy {
        char* to;
        BoxMap map;
        int column, row, item;
        const void* barrier;
        Location at;
        unsigned bytes() const { return map.box_rows * 128; }
    };
    State& find(const void* barrier, Location at);
    static void complete_if_due(State& state, Scheduler& scheduler);

    std::map<const void*, State> states_;
    std::vector<Copy> copies_;
};

}  // namespace heddle::simt
