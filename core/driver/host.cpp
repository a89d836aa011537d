#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "core/check.h"
#include "core/driver/driver.h"
#include "core/parallel.h"

namespace heddle {
namespace {

constexpr std::size_t huge_page = 2 << 20;

std::size_t pages(int name) {
    return static_cast<std::size_t>(sysconf(name)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// Whether the machine could ever hold this much. A system that overcommits memory would grant the request and kill the
/// process when it uses the memory.
bool could_fit(std::size_t bytes) {
    struct sysinfo info {};
    if (sysinfo(&info) != 0) return true;
    return bytes / info.mem_unit <= info.totalram + info.totalswap;
}

/// Address ranges as large as the machine's memory, of which only the front is accessible. Huge pages make the first
/// access to fresh memory some ten times cheaper.
class GrowableMemory {
  public:
    void* allocate(std::size_t bytes) {
        const std::size_t size = std::max(pages(_SC_PHYS_PAGES) / huge_page * huge_page, bytes);
        if (!could_fit(bytes)) return nullptr;
        void* mapped = mmap(nullptr, size + huge_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped == MAP_FAILED) return nullptr;
        Range range{static_cast<std::byte*>(mapped), size + huge_page, size, 0};
        const std::size_t skip = (huge_page - reinterpret_cast<std::uintptr_t>(mapped) % huge_page) % huge_page;
        std::byte* memory = range.mapped + skip;
        if (!set_length(memory, range, bytes)) {
            munmap(range.mapped, range.mapped_bytes);
            return nullptr;
        }
        const std::lock_guard lock(mutex_);
        ranges_[memory] = range;
        return memory;
    }

    bool resize(void* memory, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        return set_length(static_cast<std::byte*>(memory), ranges_.at(memory), bytes);
    }

    void free(void* memory) {
        const std::lock_guard lock(mutex_);
        const Range& range = ranges_.at(memory);
        munmap(range.mapped, range.mapped_bytes);
        ranges_.erase(memory);
    }

  private:
    struct Range {
        std::byte* mapped;
        std::size_t mapped_bytes, capacity, length;
    };

    static bool set_length(std::byte* memory, Range& range, std::size_t bytes) {
        if (bytes > range.capacity) return false;
        if (bytes > range.length) {
            std::byte* more = memory + range.length;
            if (mprotect(more, bytes - range.length, PROT_READ | PROT_WRITE) != 0) return false;
            madvise(more, bytes - range.length, MADV_HUGEPAGE);
        } else if (bytes < range.length) {
            // A new mapping in place returns the pages and the kernel's commitment for them.
            if (mmap(memory + bytes, range.length - bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
                return false;
        }
        range.length = bytes;
        return true;
    }

    std::mutex mutex_;
    std::map<void*, Range> ranges_;
};

class HostDriver final : public Driver {
  public:
    Device device() const override { return Device::cpu(); }
    std::string description() const override { return fmt::format("{} threads", thread_count()); }

    void* allocate(std::size_t bytes) override {
        void* memory = nullptr;
        if (!could_fit(bytes)) return nullptr;
        const bool large = bytes >= huge_page;
        if (posix_memalign(&memory, large ? huge_page : 64, bytes > 0 ? bytes : 1) != 0) return nullptr;
        if (large) madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE);  // a hint: it may be refused
        return memory;
    }
    void free(void* memory) override { std::free(memory); }

    void* allocate_growable(std::size_t bytes) override { return growable_.allocate(bytes); }
    bool resize(void* memory, std::size_t bytes) override { return growable_.resize(memory, bytes); }
    void free_growable(void* memory) override { growable_.free(memory); }

    void* allocate_pinned(std::size_t bytes) override { return allocate(bytes); }
    void free_pinned(void* memory) override { std::free(memory); }
    std::size_t total_memory() const override { return pages(_SC_PHYS_PAGES); }
    std::size_t free_memory() const override { return pages(_SC_AVPHYS_PAGES); }

    void copy(void* to, const void* from, std::size_t bytes, CopyKind, StreamId) override {
        std::memmove(to, from, bytes);
    }
    void fill_zero(void* memory, std::size_t bytes, StreamId) override { std::memset(memory, 0, bytes); }
    void launch(StreamId, const char*, const std::function<void()>& work) override { work(); }

    // Everything has happened when a call returns, so streams and events have nothing to do.
    StreamId create_stream() override { return 0; }
    void destroy_stream(StreamId) override {}
    void synchronize(StreamId) override {}
    bool asynchronous() const override { return false; }
    EventId create_event() override { return 0; }
    void destroy_event(EventId) override {}
    void record(EventId, StreamId) override {}
    void wait(StreamId, EventId) override {}
    bool query(EventId) override { return true; }

    bool can_capture() const override { return false; }
    void begin_capture(StreamId) override { no_capture(); }
    GraphId end_capture(StreamId) override { no_capture(); }
    void replay(GraphId, StreamId) override { no_capture(); }
    void destroy_graph(GraphId) override { no_capture(); }

  private:
    [[noreturn]] static void no_capture() { fail("capture: the CPU has no graph capture"); }

    GrowableMemory growable_;
};

}  // namespace

std::unique_ptr<Driver> make_host_driver() { return std::make_unique<HostDriver>(); }

}  // namespace heddle
