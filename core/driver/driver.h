#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/device.h"
#include "core/export.h"

namespace heddle {

/// Handles are small integers that the driver gives out; 0 is the device's default stream.
using StreamId = std::uint32_t;
using EventId = std::uint32_t;
using GraphId = std::uint32_t;

enum class CopyKind : std::uint8_t { host_to_device, device_to_host, device_to_device };

/// The only code that talks to a device. Allocator, stream scheduler and graph capture are written once over this
/// interface, so they are tested with a scripted driver and no GPU. All calls are thread-safe. Errors throw `Error`.
class HEDDLE_API Driver {
  public:
    virtual ~Driver();

    virtual Device device() const = 0;
    virtual std::string description() const = 0;

    /// Device memory, aligned to 256 bytes (64 on the host). Returns nullptr when the device is out of memory.
    virtual void* allocate(std::size_t bytes) = 0;
    virtual void free(void* memory) = 0;
    /// Memory that `resize` makes longer or shorter where it stands (behind a reserved range of addresses); the bytes
    /// that stay keep their values. nullptr where the device cannot do that, or is out of memory; false where the range
    /// or the memory ends. Sizes are multiples of 2 MiB.
    virtual void* allocate_growable(std::size_t bytes);
    virtual bool resize(void* memory, std::size_t bytes);
    virtual void free_growable(void* memory);
    /// Pinned host memory; plain memory where the device has no notion of it. nullptr when out of memory.
    virtual void* allocate_pinned(std::size_t bytes) = 0;
    virtual void free_pinned(void* memory) = 0;
    /// Bytes the device has in all and could still give.
    virtual std::size_t total_memory() const = 0;
    virtual std::size_t free_memory() const = 0;

    /// Queued on `stream`; host buffers must be pinned and live until the stream passes the copy.
    virtual void copy(void* to, const void* from, std::size_t bytes, CopyKind kind, StreamId stream) = 0;
    virtual void fill_zero(void* memory, std::size_t bytes, StreamId stream) = 0;
    /// Queues `work` in stream order. On the host it runs before `launch` returns.
    virtual void launch(StreamId stream, const char* name, const std::function<void()>& work) = 0;

    virtual StreamId create_stream() = 0;
    virtual void destroy_stream(StreamId stream) = 0;
    virtual void synchronize(StreamId stream) = 0;
    /// A number for a stream that the caller owns: a cudaStream_t on cuda. `destroy_stream` forgets it. And back, for
    /// any stream. Devices that have no such thing throw.
    virtual StreamId lend_stream(void* native);
    virtual void* native_stream(StreamId stream);
    /// True where work is still queued when a call returns: the host answers false and needs no events.
    virtual bool asynchronous() const = 0;

    virtual EventId create_event() = 0;
    virtual void destroy_event(EventId event) = 0;
    virtual void record(EventId event, StreamId stream) = 0;
    /// Work queued on `stream` after this call starts only when `event`, as last recorded before this call, has
    /// happened; recording it again does not change that.
    virtual void wait(StreamId stream, EventId event) = 0;
    /// True when everything before the event's last record is done.
    virtual bool query(EventId event) = 0;

    /// Graph capture; drivers without it answer false and throw from the rest.
    virtual bool can_capture() const = 0;
    virtual void begin_capture(StreamId stream) = 0;
    virtual GraphId end_capture(StreamId stream) = 0;
    virtual void replay(GraphId graph, StreamId stream) = 0;
    virtual void destroy_graph(GraphId graph) = 0;
};

/// The driver of a device; loads its library at the first call. Throws `Error` that says what is missing and what to
/// do.
HEDDLE_API Driver& driver(Device device);

/// A driver for the CPU: everything runs at once, on the calling thread.
HEDDLE_API std::unique_ptr<Driver> make_host_driver();

}  // namespace heddle
