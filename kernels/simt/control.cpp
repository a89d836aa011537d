#include "kernels/simt/control.h"

#include <charconv>
#include <mutex>

#include "core/check.h"
#include "core/env.h"

namespace heddle::simt {
namespace {

struct Current {
    std::mutex mutex;
    Options options;

    Current() {
        if (const auto order = env("HEDDLE_SIM_ORDER")) options.order = parse_order(*order);
        if (const auto seed = env_integer("HEDDLE_SIM_SEED")) options.seed = static_cast<std::uint64_t>(*seed);
        if (const auto skip = env("HEDDLE_SIM_SKIP")) options.skip = parse_statement(*skip);
    }
};

Current& current() {
    static Current& instance = *new Current;
    return instance;
}

}  // namespace

Options options() {
    const std::lock_guard lock(current().mutex);
    return current().options;
}

void set_options(const Options& options) {
    const std::lock_guard lock(current().mutex);
    current().options = options;
}

ThreadOrder parse_order(std::string_view text) {
    if (text == "forward") return ThreadOrder::forward;
    if (text == "reverse") return ThreadOrder::reverse;
    check(text == "random", "HEDDLE_SIM_ORDER: expected forward, reverse or random, got \"{}\"", text);
    return ThreadOrder::random;
}

Statement parse_statement(std::string_view text) {
    Statement statement;
    const std::size_t colon = text.rfind(':');
    if (colon != std::string_view::npos && colon > 0) {
        const char* const last = text.data() + text.size();
        const auto [end, error] = std::from_chars(text.data() + colon + 1, last, statement.line);
        if (error == std::errc() && end == last && statement.line > 0) {
            statement.file = text.substr(0, colon);
            return statement;
        }
    }
    fail(fmt::format("HEDDLE_SIM_SKIP: expected file:line, got \"{}\"", text));
}

bool processor_suffices(std::string& why) {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("fma")) {
        why = "the simulator's kernels are compiled for processors with FMA, which this one has not";
        return false;
    }
#endif
    why.clear();
    return true;
}

}  // namespace heddle::simt
