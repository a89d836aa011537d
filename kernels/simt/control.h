#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace heddle::simt {

/// In which order the threads of a block, and the blocks of a grid, run between two points where they wait.
enum class ThreadOrder : std::uint8_t { forward, reverse, random };

/// A statement that waits or orders memory, by its place in the source: "kernels/pool/native_max.cu", 60.
struct Statement {
    std::string file = {};
    unsigned line = 0;  ///< 0: none
};

struct Options {
    ThreadOrder order = ThreadOrder::forward;
    std::uint64_t seed = 0;  ///< of the random order
    Statement skip = {};     ///< runs as if it were not there; the first time is reported to stderr
};

/// Of the process: at first from HEDDLE_SIM_ORDER, HEDDLE_SIM_SEED and HEDDLE_SIM_SKIP. A grid takes them when it
/// starts.
Options options();
void set_options(const Options& options);

/// "forward", "reverse" or "random"; throws `Error` for anything else.
ThreadOrder parse_order(std::string_view text);
/// "file:line"; throws `Error` for anything else.
Statement parse_statement(std::string_view text);

/// Whether this processor has the instructions that kernels are compiled for; if not, `why` names them.
bool processor_suffices(std::string& why);

}  // namespace heddle::simt
