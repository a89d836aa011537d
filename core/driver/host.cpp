#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/check.h"
#include "core/driver/driver.h"
#include "core/parallel.h"

namespace heddle {
namespace {

class HostDriver final : public Driver {
  public:
    Device device() const override { return Device::cpu(); }
    std::string description() const override { return fmt::format("{} threads", thread_count()); }

    void* allocate(std::size_t bytes) override {
        const std::size_t rounded = (bytes + 63) / 64 * 64;
        return std::aligned_alloc(64, rounded > 0 ? rounded : 64);
    }
    void free(void* memory) override { std::free(memory); }
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
    static std::size_t pages(int name) {
        return static_cast<std::size_t>(sysconf(name)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    }
};

}  // namespace

std::unique_ptr<Driver> make_host_driver() { return std::make_unique<HostDriver>(); }

}  // namespace heddle
