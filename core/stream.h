#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/allocator.h"
#include "core/driver/driver.h"
#include "core/export.h"

namespace heddle {

/// What a storage remembers about streams: its last writer and the readers since. Empty on devices with one stream.
struct StreamHistory {
    StreamUse writer = {};
    bool written = false;
    std::vector<StreamUse> readers = {};
};

/// Orders work on a few streams of one device by what it reads and writes (two readers never wait for each other).
/// An operation on stream S waits for ticket T of stream R only where S has not passed it already; events are recorded
/// lazily, at the first cross-stream wait. One stream costs nothing. Thread-safe.
class HEDDLE_API StreamScheduler final : public StreamOrder {
  public:
    explicit StreamScheduler(Driver& driver);
    ~StreamScheduler() override;

    /// A new stream owned by the scheduler, or one that the user owns and lends.
    StreamId create();
    void lend(StreamId stream);
    /// Waits for a lent stream and gives it back to its owner: the driver forgets its number.
    void take_back(StreamId stream);

    /// Call before queueing an operation on `stream`: inserts the waits it needs and gives it a ticket, which the
    /// histories remember. A storage in both lists counts as written. On a driver that is not asynchronous it does
    /// nothing.
    std::uint64_t begin(StreamId stream, std::span<StreamHistory* const> reads, std::span<StreamHistory* const> writes);
    /// Call when the operation has been queued (or has failed): an event recorded by another thread in between does
    /// not count as passing it. `StreamOperation` calls both.
    void queued(StreamId stream, std::uint64_t ticket);

    /// Later work on `to` waits for all work queued on `from` so far, whoever queued it (a lent stream's owner, too).
    void join(StreamId to, StreamId from);
    /// Waits for everything, then captures what is queued on `stream`, and on the scheduler's own streams, until
    /// `end_capture`, which joins them. Others' lent streams take no part.
    void begin_capture(StreamId stream);
    GraphId end_capture(StreamId stream);

    /// Blocks the host until `stream` (or everything) is done.
    void synchronize(StreamId stream);
    void synchronize();

    void wait(StreamId stream, StreamUse use) override;
    bool passed(StreamId stream, StreamUse use) override;
    std::uint64_t newest(StreamId stream) override;

    /// Waits inserted and events recorded so far, for tests and for the curious.
    std::uint64_t waits() const;
    std::uint64_t events() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Stands around the queueing of one operation.
class StreamOperation {
  public:
    StreamOperation(StreamScheduler& scheduler, StreamId stream, std::span<StreamHistory* const> reads,
                    std::span<StreamHistory* const> writes)
        : scheduler_(scheduler), stream_(stream), ticket_(scheduler.begin(stream, reads, writes)) {}
    ~StreamOperation() { scheduler_.queued(stream_, ticket_); }
    StreamOperation(const StreamOperation&) = delete;
    StreamOperation& operator=(const StreamOperation&) = delete;

  private:
    StreamScheduler& scheduler_;
    StreamId stream_;
    std::uint64_t ticket_;
};

/// The scheduler of a device.
HEDDLE_API StreamScheduler& scheduler(Device device);

/// The stream that this thread's operations on `device` go to; 0 unless a `StreamGuard` says otherwise.
HEDDLE_API StreamId current_stream(Device device);

/// Sends this thread's operations on `device` to `stream` while it lives.
class HEDDLE_API StreamGuard {
  public:
    StreamGuard(Device device, StreamId stream);
    ~StreamGuard();
    StreamGuard(const StreamGuard&) = delete;
    StreamGuard& operator=(const StreamGuard&) = delete;

  private:
    Device device_;
    StreamId previous_;
};

}  // namespace heddle
