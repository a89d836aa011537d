#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/simt/runtime.h"

namespace heddle::simt {

/// What a GPU of compute capability 9.0 gives a block.
inline constexpr std::size_t shared_bytes_limit = 227 * 1024;
inline constexpr std::size_t static_shared_bytes_limit = 48 * 1024;

/// The shared memory of the running block: its dynamic part, then one array after another as threads come to their
/// declarations. Every byte is 0xff when the block starts, a NaN in all floating-point formats. Between the arrays lie
/// red zones: AddressSanitizer refuses accesses there; elsewhere reads give NaN, and writes are seen when the block
/// ends.
class SharedMemory {
  public:
    SharedMemory() = default;
    ~SharedMemory();
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;

    void begin_block(std::size_t dynamic_bytes);
    void* dynamic() { return memory_ + places_.front().offset; }
    /// Throws `Error` where the block asks for more than a GPU has.
    void* array(const SharedArray& array, std::size_t bytes, std::size_t alignment);
    bool contains(const void* address) const { return address >= memory_ && address < memory_ + capacity; }
    /// An address as the 32 bits that instructions take, here counted from a multiple of 1024; and back.
    std::uint32_t offset_of(const void* address) const {
        return static_cast<std::uint32_t>(static_cast<const char*>(address) - memory_);
    }
    char* at(std::uint32_t offset) const { return memory_ + offset; }
    /// Which array somebody has written beyond; empty where nobody has.
    std::string overrun() const;

  private:
    static constexpr std::size_t red_zone = 512;
    static constexpr std::size_t capacity = shared_bytes_limit + static_shared_bytes_limit + 64 * red_zone;

    struct Place {
        const SharedArray* array;  ///< none: the dynamic part
        std::size_t offset, bytes;
    };
    std::size_t end() const { return places_.back().offset + places_.back().bytes + red_zone; }

    char* memory_ = nullptr;
    std::size_t touched_ = 0;  ///< bytes beyond it are still 0xff
    std::size_t asked_ = 0;    ///< bytes, without red zones and padding
    std::vector<Place> places_;
};

}  // namespace heddle::simt
