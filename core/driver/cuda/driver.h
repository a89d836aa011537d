#pragma once

#include <cuda_runtime_api.h>

#include <mutex>
#include <set>

#include "core/driver/clock.h"
#include "core/driver/cuda/errors.h"
#include "core/driver/cuda/handles.h"
#include "core/driver/driver.h"

namespace heddle::cuda {

/// One GPU behind the Driver interface. Stream 0 is a stream of Heddle's own: like all of its streams it neither waits
/// for CUDA's default stream nor holds it up, and it can be captured.
class CudaDriver final : public Driver, public DeviceClock {
  public:
    /// `index` is Heddle's number of the GPU, `ordinal` CUDA's.
    CudaDriver(int index, int ordinal);

    Device device() const override { return device_; }
    std::string description() const override;

    void* allocate(std::size_t bytes) override;
    void free(void* memory) override;
    void* allocate_pinned(std::size_t bytes) override;
    void free_pinned(void* memory) override;
    std::size_t total_memory() const override;
    std::size_t free_memory() const override;

    /// Host memory that is not pinned works, too: it is read before the call returns, and written before it returns.
    void copy(void* to, const void* from, std::size_t bytes, CopyKind kind, StreamId stream) override;
    void fill_zero(void* memory, std::size_t bytes, StreamId stream) override;
    /// Runs `work` at once, on this thread, with the GPU current: it queues CUDA work on `native_stream(stream)`.
    void launch(StreamId stream, const char* name, const std::function<void()>& work) override;

    StreamId create_stream() override;
    /// Waits for its work.
    void destroy_stream(StreamId stream) override;
    void synchronize(StreamId stream) override;
    bool asynchronous() const override { return true; }
    StreamId lend_stream(void* native) override;
    void* native_stream(StreamId stream) override { return streams_.at(stream); }

    EventId create_event() override;
    void destroy_event(EventId event) override;
    void record(EventId event, StreamId stream) override;
    void wait(StreamId stream, EventId event) override;
    bool query(EventId event) override;
    EventId create_timer() override;
    double seconds_between(EventId from, EventId to) override;

    /// Captures what this thread queues. Streams take part once they wait for an event of one that does.
    bool can_capture() const override { return true; }
    void begin_capture(StreamId stream) override;
    GraphId end_capture(StreamId stream) override;
    void replay(GraphId graph, StreamId stream) override;
    void destroy_graph(GraphId graph) override;

    /// What a kernel's launch needs: the GPU becomes current on this thread, and stays so; `operation` is remembered
    /// for messages. Throws where an earlier error has ended the device.
    cudaStream_t stream_for_launch(StreamId stream, const char* operation);
    ErrorLog& errors() const { return errors_; }
    int ordinal() const { return ordinal_; }

  private:
    Device device_;
    int ordinal_;
    mutable ErrorLog errors_;
    HandleTable<cudaStream_t> streams_{"stream"};
    HandleTable<cudaEvent_t> events_{"event"};
    HandleTable<cudaGraphExec_t> graphs_{"graph"};
    std::mutex lent_mutex_;
    std::set<StreamId> lent_;
};

/// The driver of a cuda device: the cast that the code of this library may make.
CudaDriver& cuda_driver(Device device);

}  // namespace heddle::cuda
