#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/device.h"
#include "core/driver/driver.h"
#include "core/export.h"

namespace heddle {

struct MemoryStats {
    std::size_t allocated = 0;       ///< bytes in blocks that somebody holds
    std::size_t reserved = 0;        ///< bytes taken from the driver
    std::size_t peak_allocated = 0;  ///< since the last `reset_peak`
    std::size_t peak_reserved = 0;
    std::size_t largest_free = 0;   ///< the largest cached free block
    std::uint64_t allocations = 0;  ///< calls served
    std::uint64_t driver_allocations = 0;
    /// 1 - largest_free / (reserved - allocated); 0 where nothing is free.
    HEDDLE_API double fragmentation() const;
};

/// A use of a block on another stream than its own: the block is not reused before `ticket` of `stream` has passed.
struct StreamUse {
    StreamId stream = 0;
    std::uint64_t ticket = 0;
};

/// Answers whether work is done, and orders streams; the stream scheduler implements it (null: one stream).
class HEDDLE_API StreamOrder {
  public:
    virtual ~StreamOrder() = default;
    /// Makes later work on `stream` wait for `use`, on the device; returns at once.
    virtual void wait(StreamId stream, StreamUse use) = 0;
    /// True where `wait` would have nothing to do.
    virtual bool passed(StreamId stream, StreamUse use) = 0;
    /// The ticket of the newest work queued on `stream`.
    virtual std::uint64_t newest(StreamId stream) = 0;
};

enum class AllocatorMode {
    from_environment,  ///< what HEDDLE_ALLOCATOR says
    caching
};

/// A caching, stream-ordered allocator over one driver: size classes, splitting, coalescing. A freed block is reused at
/// once on its own stream, on another one where that has passed its uses, and, before memory runs out, behind a
/// device-side wait. The host waits only before memory goes back to the driver. Thread-safe.
///
/// Out of memory: the cache is released and the request tried again; then an `Error` states the request, the largest
/// free block and the biggest holders.
///
/// `HEDDLE_ALLOCATOR=passthrough` (the default of sanitizer builds) hands every request to the driver, so that caching
/// hides no bug.
class HEDDLE_API Allocator {
  public:
    explicit Allocator(Driver& driver, StreamOrder* order = nullptr,
                       AllocatorMode mode = AllocatorMode::from_environment);
    /// Gives all memory back, blocks that are still held too.
    ~Allocator();
    Allocator(const Allocator&) = delete;
    Allocator& operator=(const Allocator&) = delete;

    /// `bytes` may be 0. The memory is not initialised. `tag` names the holder in out-of-memory messages; it must live
    /// as long as the process (a string literal).
    void* allocate(std::size_t bytes, StreamId stream = 0, const char* tag = "tensor");
    /// `uses` are the uses on other streams than the one it was allocated for. Throws `Error` for memory that is no
    /// block in use; null is fine.
    void free(void* memory, std::span<const StreamUse> uses = {});

    MemoryStats stats() const;
    void reset_peak();
    /// Bytes that may be reserved; 0 lifts the limit. `HEDDLE_MEMORY_LIMIT` sets it at start.
    void set_limit(std::size_t bytes);
    /// Gives every wholly free segment, and the free end of a growable one, back to the driver. Waits for the device.
    void empty_cache();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The allocator of a device's memory.
HEDDLE_API Allocator& allocator(Device device);

/// While it lives, this thread's new tensors and workspaces on `device` come from `memory`, which each tensor keeps
/// alive.
class HEDDLE_API PrivateMemory {
  public:
    PrivateMemory(Device device, std::shared_ptr<Allocator> memory);
    ~PrivateMemory();
    PrivateMemory(const PrivateMemory&) = delete;
    PrivateMemory& operator=(const PrivateMemory&) = delete;

    /// The innermost one's allocator for `device`, or null where there is none: the device's own serves.
    static const std::shared_ptr<Allocator>& current(Device device);

  private:
    Device device_;
    std::shared_ptr<Allocator> memory_;
    PrivateMemory* outer_;
};

}  // namespace heddle
