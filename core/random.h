#pragma once

#include <array>
#include <cstdint>

#include "core/export.h"

// Kernels (host and device) use this too: HEDDLE_HD marks what both compilers build.
#if defined(__CUDACC__)
#define HEDDLE_HD __host__ __device__
#else
#define HEDDLE_HD
#endif

namespace heddle {

/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): 128 random bits as a pure
/// function of a 64-bit key and a 128-bit counter; the same on every device.
struct Philox {
    struct Block {
        std::uint32_t word[4];
    };

    /// Block `index` of stream `offset` of generator `seed`.
    HEDDLE_HD static Block block(std::uint64_t seed, std::uint64_t offset, std::uint64_t index) {
        std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
        Block c{{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                 static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(offset >> 32)}};
        for (int round = 0; round < 10; ++round) {
            const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c.word[0];
            const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c.word[2];
            c = Block{{static_cast<std::uint32_t>(p1 >> 32) ^ c.word[1] ^ key0, static_cast<std::uint32_t>(p1),
                       static_cast<std::uint32_t>(p0 >> 32) ^ c.word[3] ^ key1, static_cast<std::uint32_t>(p0)}};
            key0 += 0x9E3779B9u;
            key1 += 0xBB67AE85u;
        }
        return c;
    }

    /// 24 bits as a float in [0, 1).
    HEDDLE_HD static float uniform(std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }
};

/// A sequence of random streams: every random operation takes the next offset, so results depend on the seed and on the
/// order of calls, never on threads or devices.
class HEDDLE_API Generator {
  public:
    explicit Generator(std::uint64_t seed = 0) : seed_(seed) {}

    std::uint64_t seed() const { return seed_; }
    std::uint64_t offset() const { return offset_; }
    void set(std::uint64_t seed, std::uint64_t offset) {
        seed_ = seed;
        offset_ = offset;
    }
    /// The offset of the next random operation.
    std::uint64_t next() { return offset_++; }
    /// 64 random bits on the host (takes an offset).
    std::uint64_t bits() {
        const Philox::Block b = Philox::block(seed_, next(), 0);
        return (std::uint64_t{b.word[1]} << 32) | b.word[0];
    }
    /// Uniform in 0 .. bound - 1 without bias (Lemire's method).
    std::uint64_t below(std::uint64_t bound);

  private:
    std::uint64_t seed_;
    std::uint64_t offset_ = 0;
};

/// While it lives, this thread's random operations on a device take their offsets from 0 on, relative to a number that
/// lies in the device's memory, and the default generator stays where it is: what a captured step needs, so that each
/// replay draws anew.
class HEDDLE_API DeviceOffset {
  public:
    explicit DeviceOffset(const std::uint64_t* base);
    ~DeviceOffset();
    DeviceOffset(const DeviceOffset&) = delete;
    DeviceOffset& operator=(const DeviceOffset&) = delete;

    const std::uint64_t* base() const { return base_; }
    std::uint64_t next() { return taken_++; }
    std::uint64_t taken() const { return taken_; }
    /// This thread's, or null.
    static DeviceOffset* current();

  private:
    const std::uint64_t* base_;
    std::uint64_t taken_ = 0;
};

/// This thread's generator: layers' initial weights and dropout draw from it.
HEDDLE_API Generator& default_generator();
/// Restarts this thread's generator.
HEDDLE_API void set_seed(std::uint64_t seed);

}  // namespace heddle
