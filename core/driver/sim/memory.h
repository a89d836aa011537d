#pragma once

#include <cstddef>
#include <map>

namespace heddle::sim {

/// The simulated device's memory: blocks that are accessible only while the device works. At other times, a read or
/// write by the host is a segmentation fault (or AddressSanitizer's report), as it would be on a GPU.
class DeviceMemory {
  public:
    ~DeviceMemory();
    /// Aligned to 256 bytes; nullptr when out of memory.
    void* allocate(std::size_t bytes);
    void free(void* memory);
    bool contains(const void* address) const;

    /// While it lives, the device works.
    class Access {
      public:
        explicit Access(DeviceMemory& memory) : memory_(memory) { memory_.set_accessible(true); }
        ~Access() { memory_.set_accessible(false); }
        Access(const Access&) = delete;
        Access& operator=(const Access&) = delete;

      private:
        DeviceMemory& memory_;
    };

  private:
    void set_accessible(bool accessible);

    bool accessible_ = false;
    std::map<const std::byte*, std::size_t> blocks_;
};

}  // namespace heddle::sim
