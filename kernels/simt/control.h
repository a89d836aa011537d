#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace heddle::simt {

/// In which order the threads of a block, and the blocks of a grid, run between two points where they wait.
enum class ThreadOrder : std::uint8_t { forward, reverse, random };

struct Options {
    ThreadOrder order = ThreadOrder::forward;
    std::uint64_t seed = 0;  ///< of the random order
};

/// Of the process: at first from HEDDLE_SIM_ORDER and HEDDLE_SIM_SEED. A grid takes them when it starts.
Options options();
void set_options(const Options& options);

/// "forward", "reverse" or "random"; throws `Error` for anything else.
ThreadOrder parse_order(std::string_view text);

/// Whether this processor has the instructions that kernels are compiled for; if not, `why` names them.
bool processor_suffices(std::string& why);

}  // namespace heddle::simt
