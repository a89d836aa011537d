#include "core/random.h"

#include "core/check.h"

namespace heddle {

__extension__ using Wide = unsigned __int128;

std::uint64_t Generator::below(std::uint64_t bound) {
    for (;;) {
        const Wide product = static_cast<Wide>(bits()) * bound;
        const std::uint64_t low = static_cast<std::uint64_t>(product);
        if (low >= bound || low >= (0 - bound) % bound) return static_cast<std::uint64_t>(product >> 64);
    }
}

Generator& default_generator() {
    thread_local Generator generator;
    return generator;
}

namespace {

constinit thread_local DeviceOffset* current_offset = nullptr;

}  // namespace

DeviceOffset::DeviceOffset(const std::uint64_t* base) : base_(base) {
    check(!current_offset, "DeviceOffset: there is one already on this thread");
    current_offset = this;
}

DeviceOffset::~DeviceOffset() { current_offset = nullptr; }

DeviceOffset* DeviceOffset::current() { return current_offset; }

void set_seed(std::uint64_t seed) { default_generator().set(seed, 0); }

}  // namespace heddle
