#include "core/driver/sim/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace heddle::sim {
namespace {

// Under AddressSanitizer blocks come from malloc, so that it detects accesses beyond a block, and poisoning replaces
// page protection.
#if defined(__SANITIZE_ADDRESS__)

void* new_block(std::size_t bytes) {
    void* memory = nullptr;
    return posix_memalign(&memory, 256, bytes) == 0 ? memory : nullptr;
}
void delete_block(void* memory, std::size_t bytes) {
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
    std::free(memory);
}
void protect(void* memory, std::size_t bytes, bool accessible) {
    if (accessible)
        ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
    else
        ASAN_POISON_MEMORY_REGION(memory, bytes);
}

#else

std::size_t in_pages(std::size_t bytes) {
    static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
}
void* new_block(std::size_t bytes) {
    void* memory = mmap(nullptr, in_pages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}
void delete_block(void* memory, std::size_t bytes) { munmap(memory, in_pages(bytes)); }
void protect(void* memory, std::size_t bytes, bool accessible) {
    mprotect(memory, in_pages(bytes), accessible ? PROT_READ | PROT_WRITE : PROT_NONE);
}

#endif

}  // namespace

DeviceMemory::~DeviceMemory() {
    for (const auto& [memory, bytes] : blocks_) delete_block(const_cast<std::byte*>(memory), bytes);
}

void* DeviceMemory::allocate(std::size_t bytes) {
    if (bytes == 0) bytes = 1;
    void* memory = new_block(bytes);
    if (!memory) return nullptr;
    blocks_[static_cast<const std::byte*>(memory)] = bytes;
    protect(memory, bytes, accessible_);
    return memory;
}

void DeviceMemory::free(void* memory) {
    const auto place = blocks_.find(static_cast<const std::byte*>(memory));
    delete_block(memory, place->second);
    blocks_.erase(place);
}

bool DeviceMemory::contains(const void* address) const {
    const auto* byte = static_cast<const std::byte*>(address);
    auto next = blocks_.upper_bound(byte);
    if (next == blocks_.begin()) return false;
    --next;
    return byte < next->first + next->second;
}

void DeviceMemory::set_accessible(bool accessible) {
    accessible_ = accessible;
    for (const auto& [memory, bytes] : blocks_) protect(const_cast<std::byte*>(memory), bytes, accessible);
}

}  // namespace heddle::sim
