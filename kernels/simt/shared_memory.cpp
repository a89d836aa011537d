#include "kernels/simt/shared_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/check.h"
#include "kernels/simt/race.h"
#include "kernels/simt/report.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)0)
#endif

namespace heddle::simt {
namespace {

constexpr unsigned char unwritten = 0xff;
constexpr std::size_t base_alignment = 1024;
constexpr std::size_t dynamic_alignment = 128;  // what HEDDLE_SHARED_DYNAMIC promises, and no more than that

std::size_t align_up(std::size_t value, std::size_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

}  // namespace

SharedMemory::~SharedMemory() {
    ASAN_UNPOISON_MEMORY_REGION(memory_, memory_ ? capacity : 0);
    std::free(memory_);
}

void SharedMemory::begin_block(std::size_t dynamic_bytes) {
    const race::Unseen unseen;
    if (race::enabled) {  // other memory, or what one block read would race with what the next one writes
        std::free(memory_);
        memory_ = nullptr;
    }
    if (!memory_) {
        memory_ = static_cast<char*>(std::aligned_alloc(base_alignment, align_up(capacity, base_alignment)));
        if (!memory_) throw std::bad_alloc();
        touched_ = capacity;
    }
    ASAN_UNPOISON_MEMORY_REGION(memory_, touched_);
    std::memset(memory_, unwritten, touched_);
    ASAN_POISON_MEMORY_REGION(memory_, capacity);
    places_.assign(1, {nullptr, red_zone + dynamic_alignment, dynamic_bytes});
    ASAN_UNPOISON_MEMORY_REGION(memory_ + places_.front().offset, dynamic_bytes);
    asked_ = dynamic_bytes;
    touched_ = end();
}

void* SharedMemory::array(const SharedArray& array, std::size_t bytes, std::size_t alignment) {
    for (const Place& place : places_)
        if (place.array == &array) return memory_ + place.offset;

    const race::Unseen unseen;
    asked_ += bytes;
    const std::size_t dynamic_bytes = places_.front().bytes;
    check(asked_ - dynamic_bytes <= static_shared_bytes_limit && asked_ <= shared_bytes_limit,
          "shared array {} ({}:{}) makes {} bytes of shared arrays and {} of dynamic shared memory: a block may have "
          "{} of arrays, {} in all",
          array.name, source_name(array.file), array.line, asked_ - dynamic_bytes, dynamic_bytes,
          static_shared_bytes_limit, shared_bytes_limit);
    const std::size_t offset = align_up(end(), std::max<std::size_t>(alignment, 16));
    check(offset + bytes + red_zone <= capacity, "shared array {} ({}:{}): more than 60 shared arrays in a block",
          array.name, source_name(array.file), array.line);
    places_.push_back({&array, offset, bytes});
    touched_ = end();
    ASAN_UNPOISON_MEMORY_REGION(memory_ + offset, bytes);
    return memory_ + offset;
}

std::string SharedMemory::overrun() const {
#if !defined(__SANITIZE_ADDRESS__)  // which has stopped the thread itself
    std::size_t from = 0;
    for (std::size_t i = 0; i <= places_.size(); ++i) {
        const std::size_t to = i < places_.size() ? places_[i].offset : end();
        const auto written = [](char byte) { return static_cast<unsigned char>(byte) != unwritten; };
        if (const char* byte = std::find_if(memory_ + from, memory_ + to, written); byte != memory_ + to) {
            const Place& before = places_[i > 0 ? i - 1 : 0];
            const std::string name = before.array ? fmt::format("shared array {} ({}:{})", before.array->name,
                                                                source_name(before.array->file), before.array->line)
                                                  : "dynamic shared memory";
            if (i == 0) return fmt::format("before the start of {}, {} bytes", name, memory_ + to - byte);
            return fmt::format("beyond the end of {} of {} bytes, at byte {}", name, before.bytes,
                               byte - memory_ - static_cast<std::ptrdiff_t>(before.offset));
        }
        if (i < places_.size()) from = places_[i].offset + places_[i].bytes;
    }
#endif
    return {};
}

}  // namespace heddle::simt
