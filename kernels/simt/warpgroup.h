#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/simt/hopper_runtime.h"

namespace heddle::simt {

class SharedMemory;

/// What a thread has started of its warpgroup's products and not waited for.
struct Products {
    static constexpr int most_sums = 128;  ///< of a thread: n is at most 256

    struct Started {
        WarpgroupProduct product;
        std::size_t sums;  ///< index in `sums`
        unsigned group;
        Location at;
    };
    /// Registers that products under way own.
    struct Sums {
        float* d;
        unsigned under_way;
        std::array<float, most_sums> value;
    };
    std::vector<Started> started;
    std::vector<Sums> sums;
    unsigned group = 0;
    bool fenced = false;  ///< since the thread could last touch sums

    /// Where the product was started that reads some of these bytes; null where none does.
    const Location* reading(const char* from, const char* to, const SharedMemory& shared) const;
};

/// Four warps that multiply together: they must start the same products in the same order.
struct Warpgroup {
    std::vector<WarpgroupProduct> products = {};
    std::array<std::size_t, 4> started = {};  ///< by each warp

    /// What is wrong when the block ends; empty where nothing is.
    std::string unfinished(unsigned number) const;
};

}  // namespace heddle::simt
