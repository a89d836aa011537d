#include "core/random.h"

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

void set_seed(std::uint64_t seed) { default_generator().set(seed, 0); }

}  // namespace heddle
