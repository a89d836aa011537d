#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/driver/driver.h"

namespace heddle::sim {

/// Which of the operations that are ready runs next.
enum class RunOrder {
    earliest,  ///< the one queued first
    latest,    ///< the one queued last: wherever an event is missing, the result is wrong every time
    random     ///< drawn from a seed
};

struct Event {
    int recorded = 0, happened = 0;
    bool captured = false;  ///< last recorded in the capture that is under way
};

/// One thing in a stream: work, the record of an event, or a wait for one.
struct Item {
    enum class Kind { work, record, wait } kind = Kind::work;
    const char* name = "";
    std::function<void()> work = {};
    std::shared_ptr<Event> event = nullptr;
    int version = 0;  ///< of the event's records
    std::uint64_t sequence = 0;
};

/// The concurrent streams of the simulated device: operations run whole, one after the other, in an order that respects
/// only the streams and the recorded events. Nothing runs before somebody waits. Not thread-safe.
class Queue {
  public:
    Queue(RunOrder order, std::uint64_t seed) : order_(order), random_(seed) {}

    void push(StreamId stream, Item item);
    bool empty(StreamId stream) const;
    std::size_t size() const { return size_; }
    /// Runs one item that may run; throws `Error` where none may, or what the item throws (the rest is then dropped).
    void step();
    void clear();

  private:
    RunOrder order_;
    std::mt19937_64 random_;
    std::map<StreamId, std::deque<Item>> streams_;  // those that hold something
    std::uint64_t sequence_ = 0;
    std::size_t size_ = 0;
};

/// A captured sequence of items on one or more streams, to be queued again and again.
class Graph {
  public:
    explicit Graph(StreamId origin) : origin_(origin) { clocks_[origin]; }

    StreamId origin() const { return origin_; }
    /// Whether a stream takes part: the origin does, and every stream that waited for an event recorded in one that
    /// does.
    bool has(StreamId stream) const { return clocks_.contains(stream); }
    /// Something was called that a capture cannot record: until it is ended nothing more can be captured, as in CUDA.
    void spoil() { spoiled_ = true; }
    bool spoiled() const { return spoiled_; }
    void add(StreamId stream, Item item);
    /// Throws `Error` unless the origin has waited for all that was captured on other streams.
    void finish() const;
    /// Queues everything behind what `stream` holds, on streams numbered from `first_free`; `stream` continues behind
    /// all of it. Returns how many streams were used.
    StreamId replay(Queue& queue, StreamId stream, StreamId first_free) const;

  private:
    using Clock = std::map<StreamId, int>;  // how many items of each stream come before

    StreamId origin_;
    bool spoiled_ = false;
    std::vector<std::pair<StreamId, Item>> items_;
    std::map<StreamId, Clock> clocks_;
    std::map<std::pair<const Event*, int>, Clock> recorded_;
};

}  // namespace heddle::sim
