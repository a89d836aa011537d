#include "core/env.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "core/check.h"

namespace heddle {
namespace {

constexpr EnvVariable variables[] = {
    {"HEDDLE_ALLOCATOR", "\"caching\" or \"passthrough\" (every request goes to the driver)",
     "caching; passthrough in sanitizer builds"},
    {"HEDDLE_DATA", "folder in which data sets are looked for by name", "the current folder"},
    {"HEDDLE_DEVICE_LIBRARIES", "folder of libheddle_sim and libheddle_cuda", "that of libheddle"},
    {"HEDDLE_KERNEL", "operation=implementation[,...]: forces kernels", "the fixed priorities"},
    {"HEDDLE_MEMORY_LIMIT", "bytes that may be reserved on a device, graphs included (512M, 2G)", "no limit"},
    {"HEDDLE_PLUGINS", "file[:file...]: plug-ins to load, with kernels of your own (docs/guides/custom_kernels.md)",
     "none"},
    {"HEDDLE_PROFILE", "1: measure every operation and print a table at exit", "0"},
    {"HEDDLE_SIM_ORDER", "forward, reverse or random: in which order the simulator runs threads and blocks", "forward"},
    {"HEDDLE_SIM_SEED", "seed of the simulator's random orders", "0"},
    {"HEDDLE_SIM_SKIP",
     "file:line of a barrier, fence, commit or wait that the simulator leaves out (docs/mutations.md)", "none"},
    {"HEDDLE_SIM_STREAMS", "earliest, latest or random: which stream of the simulator goes first", "earliest"},
    {"HEDDLE_THREADS", "CPU threads", "OpenMP's default"},
    {"HEDDLE_TUNING", "the file of heddle tune that chooses kernels; \"off\": none",
     "heddle/tuning.json in $XDG_CACHE_HOME or ~/.cache, where it exists"},
};

}  // namespace

std::span<const EnvVariable> env_variables() { return variables; }

std::optional<std::string> env(const char* name) {
    bool known = false;
    for (const EnvVariable& variable : variables) known = known || std::strcmp(variable.name, name) == 0;
    check(known, "env: {} is not in the table of environment variables", name);
    const char* value = std::getenv(name);
    if (!value || !*value) return std::nullopt;
    return value;
}

std::optional<std::int64_t> env_integer(const char* name) {
    const auto text = env(name);
    if (!text) return std::nullopt;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    check(error == std::errc() && end == text->data() + text->size(), "{}: expected an integer, got \"{}\"", name,
          *text);
    return value;
}

std::optional<std::uint64_t> env_bytes(const char* name) {
    const auto text = env(name);
    if (!text) return std::nullopt;
    std::uint64_t value = 0;
    const char* last = text->data() + text->size();
    const auto [end, error] = std::from_chars(text->data(), last, value);
    int shift = 0;
    if (error == std::errc() && last - end == 1) shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : -1;
    check(error == std::errc() && (end == last || shift > 0) && value <= (UINT64_MAX >> (shift > 0 ? shift : 0)),
          "{}: expected bytes like 4096, 512M or 2G, got \"{}\"", name, *text);
    return value << shift;
}

}  // namespace heddle
