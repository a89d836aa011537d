#pragma once

#include <string>
#include <vector>

#include "kernels/simt/runtime.h"

namespace heddle::simt {

class Scheduler;

/// The registers of the running block, where its warpgroups share them (setmaxnreg): what a warp gives back goes to a
/// pool, from which others take. At first a warp has as many as a kernel is compiled for that has a multiprocessor to
/// itself (`__launch_bounds__(threads, 1)`), and the pool none.
class Registers {
  public:
    void begin_block();
    /// The warp of the calling thread goes on with `count` registers a thread, as all lanes of all four warps of its
    /// warpgroup must do; `more` than it has, for which it waits until the pool has them, or fewer.
    void change(unsigned count, bool more, Scheduler& scheduler, Location at);
    /// What is wrong when the block ends; empty where nothing is.
    std::string unfinished() const;

  private:
    struct Warp {
        unsigned count;                      ///< of each thread
        std::vector<unsigned> changes = {};  ///< what it asked for, in turn
    };
    void move(unsigned count, bool more, Scheduler& scheduler, Location at);

    std::vector<Warp> warps_;  ///< empty until the first change
    unsigned pool_ = 0;
    std::vector<unsigned> waiting_;  ///< threads, of which each stands for its warp
};

}  // namespace heddle::simt
