#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "core/driver/driver.h"
#include "core/driver/sim/memory.h"
#include "core/driver/sim/queue.h"

namespace heddle::sim {

/// A simulated GPU: hand-written kernels run on the CPU (kernels/simt/), streams are concurrent, memory is inaccessible
/// to the host. Everything is queued and runs when somebody waits; errors of an operation appear then, too.
class SimDriver final : public Driver {
  public:
    SimDriver(RunOrder order, std::uint64_t seed);

    Device device() const override { return {DeviceKind::sim}; }
    std::string description() const override;

    void* allocate(std::size_t bytes) override;
    /// Waits for everything first, as cudaFree does.
    void free(void* memory) override;
    void* allocate_pinned(std::size_t bytes) override;
    void free_pinned(void* memory) override;
    std::size_t total_memory() const override;
    std::size_t free_memory() const override;

    /// From and to pinned memory the copy is queued. Other host memory is read at once, or written before the call
    /// returns, as CUDA does; a capture refuses it.
    void copy(void* to, const void* from, std::size_t bytes, CopyKind kind, StreamId stream) override;
    void fill_zero(void* memory, std::size_t bytes, StreamId stream) override;
    void launch(StreamId stream, const char* name, const std::function<void()>& work) override;

    StreamId create_stream() override;
    void destroy_stream(StreamId stream) override;
    void synchronize(StreamId stream) override;
    bool asynchronous() const override { return true; }

    EventId create_event() override;
    void destroy_event(EventId event) override;
    void record(EventId event, StreamId stream) override;
    void wait(StreamId stream, EventId event) override;
    bool query(EventId event) override;

    bool can_capture() const override { return true; }
    void begin_capture(StreamId stream) override;
    GraphId end_capture(StreamId stream) override;
    void replay(GraphId graph, StreamId stream) override;
    void destroy_graph(GraphId graph) override;

  private:
    void push(StreamId stream, Item item);
    void check_stream(StreamId stream) const;
    /// A call that CUDA's captures refuse spoils the one that `stream` takes part in.
    void check_not_capturing(StreamId stream, const char* call);
    void check_not_spoiled() const;
    bool pinned(const void* address) const;
    template <class Done>
    void run_until(const Done& done);

    mutable std::recursive_mutex mutex_;
    RunOrder order_;
    DeviceMemory memory_;
    Queue queue_;
    std::map<const std::byte*, std::size_t> pinned_;
    std::map<StreamId, bool> streams_;  // id: exists
    std::map<EventId, std::shared_ptr<Event>> events_;
    std::map<GraphId, Graph> graphs_;
    std::optional<Graph> capture_;
    StreamId next_stream_ = 1;
    EventId next_event_ = 1;
    GraphId next_graph_ = 1;
    StreamId next_internal_ = StreamId{1} << 24;  // streams that replays run on
};

}  // namespace heddle::sim
