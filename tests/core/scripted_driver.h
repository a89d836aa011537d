#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <vector>

#include "core/driver/driver.h"

namespace heddle::testing {

/// A device with several streams that runs nothing until the host waits for it, and then in an order that respects
/// only the streams and the recorded events: work with a missing dependency runs too early or too late, every
/// time. Its memory has a limit; it counts calls.
class ScriptedDriver final : public Driver {
  public:
    enum class Order {
        earliest,  ///< as queued
        latest,    ///< what was queued last comes first, wherever nothing forbids it
        seeded     ///< drawn from the seed
    };

    explicit ScriptedDriver(Order order = Order::earliest, std::uint64_t seed = 0) : order_(order), random_(seed) {}

    // Knobs and counters.
    std::size_t memory = std::size_t{1} << 40;  ///< bytes the device has
    bool growable = false;                      ///< has growable memory
    int allocations = 0, frees = 0, growths = 0, records = 0, waits = 0, synchronizations = 0;
    int frees_while_busy = 0;  ///< memory given back while work was queued on any stream
    std::size_t in_use = 0;

    Device device() const override { return Device::cpu(); }
    std::string description() const override { return "scripted"; }

    void* allocate(std::size_t bytes) override {
        const std::lock_guard lock(mutex_);
        if (in_use + bytes > memory) return nullptr;
        void* block = host_->allocate(bytes);
        blocks_[block] = bytes;
        in_use += bytes;
        ++allocations;
        return block;
    }
    void free(void* block) override {
        const std::lock_guard lock(mutex_);
        forget(block);
        host_->free(block);
    }
    void* allocate_growable(std::size_t bytes) override {
        const std::lock_guard lock(mutex_);
        if (!growable || in_use + bytes > memory) return nullptr;
        void* block = host_->allocate_growable(bytes);
        blocks_[block] = bytes;
        in_use += bytes;
        ++growths;
        return block;
    }
    bool resize(void* block, std::size_t bytes) override {
        const std::lock_guard lock(mutex_);
        std::size_t& known = blocks_.at(block);
        if (in_use - known + bytes > memory || !host_->resize(block, bytes)) return false;
        in_use = in_use - known + bytes;
        known = bytes;
        ++growths;
        return true;
    }
    void free_growable(void* block) override {
        const std::lock_guard lock(mutex_);
        forget(block);
        host_->free_growable(block);
    }
    void* allocate_pinned(std::size_t bytes) override { return allocate(bytes); }
    void free_pinned(void* block) override { free(block); }
    std::size_t total_memory() const override { return memory; }
    std::size_t free_memory() const override { return memory - in_use; }

    void copy(void* to, const void* from, std::size_t bytes, CopyKind, StreamId stream) override {
        queue(stream, {[=] { std::memmove(to, from, bytes); }});
    }
    void fill_zero(void* block, std::size_t bytes, StreamId stream) override {
        queue(stream, {[=] { std::memset(block, 0, bytes); }});
    }
    void launch(StreamId stream, const char*, const std::function<void()>& work) override { queue(stream, {work}); }

    StreamId create_stream() override {
        const std::lock_guard lock(mutex_);
        streams_.emplace_back();
        return static_cast<StreamId>(streams_.size() - 1);
    }
    void destroy_stream(StreamId stream) override { synchronize(stream); }
    void synchronize(StreamId stream) override {
        const std::lock_guard lock(mutex_);
        ++synchronizations;
        ++synchronizations_of_[stream];
        while (!streams_.at(stream).empty()) step();
    }
    bool asynchronous() const override { return true; }

    EventId create_event() override {
        const std::lock_guard lock(mutex_);
        events_.emplace_back();
        return static_cast<EventId>(events_.size() - 1);
    }
    void destroy_event(EventId) override {}
    void record(EventId event, StreamId stream) override {
        const std::lock_guard lock(mutex_);
        ++records;
        const int version = ++events_.at(event).recorded;
        push(stream,
             {[this, event, version] { events_[event].happened = std::max(events_[event].happened, version); }});
    }
    void wait(StreamId stream, EventId event) override {
        const std::lock_guard lock(mutex_);
        ++waits;
        push(stream, {{}, true, event, events_.at(event).recorded});
    }
    bool query(EventId event) override {
        const std::lock_guard lock(mutex_);
        return events_.at(event).happened == events_.at(event).recorded;
    }

    bool can_capture() const override { return false; }
    void begin_capture(StreamId) override { throw std::logic_error("no capture"); }
    GraphId end_capture(StreamId) override { throw std::logic_error("no capture"); }
    void replay(GraphId, StreamId) override { throw std::logic_error("no capture"); }
    void destroy_graph(GraphId) override { throw std::logic_error("no capture"); }

    int synchronizations_of(StreamId stream) { return synchronizations_of_[stream]; }

    /// Runs everything.
    void drain() {
        for (StreamId stream = 0; stream < streams_.size(); ++stream) synchronize(stream);
    }

  private:
    struct Item {
        std::function<void()> work = {};
        bool is_wait = false;
        EventId event = 0;
        int version = 0;
        std::uint64_t sequence = 0;
    };
    struct Event {
        int recorded = 0, happened = 0;
    };

    void forget(void* block) {
        for (const auto& stream : streams_)
            if (!stream.empty()) {
                ++frees_while_busy;
                break;
            }
        in_use -= blocks_.at(block);
        blocks_.erase(block);
        ++frees;
    }
    void queue(StreamId stream, Item item) {
        const std::lock_guard lock(mutex_);
        push(stream, std::move(item));
    }
    void push(StreamId stream, Item item) {
        item.sequence = sequence_++;
        streams_.at(stream).push_back(std::move(item));
    }
    void step() {
        std::vector<std::deque<Item>*> ready;
        for (auto& stream : streams_)
            if (!stream.empty() &&
                (!stream.front().is_wait || events_[stream.front().event].happened >= stream.front().version))
                ready.push_back(&stream);
        if (ready.empty()) throw std::logic_error("ScriptedDriver: deadlock");
        const auto by_sequence = [](const auto* a, const auto* b) { return a->front().sequence < b->front().sequence; };
        std::deque<Item>* chosen = nullptr;
        switch (order_) {
            case Order::earliest:
                chosen = *std::min_element(ready.begin(), ready.end(), by_sequence);
                break;
            case Order::latest:
                chosen = *std::max_element(ready.begin(), ready.end(), by_sequence);
                break;
            case Order::seeded:
                chosen = ready[random_() % ready.size()];
                break;
        }
        const Item item = std::move(chosen->front());
        chosen->pop_front();
        if (item.work) item.work();
    }

    Order order_;
    std::mt19937_64 random_;
    std::unique_ptr<Driver> host_ = make_host_driver();
    std::recursive_mutex mutex_;
    std::deque<std::deque<Item>> streams_ = std::deque<std::deque<Item>>(1);
    std::vector<Event> events_;
    std::map<void*, std::size_t> blocks_;
    std::map<StreamId, int> synchronizations_of_;
    std::uint64_t sequence_ = 0;
};

}  // namespace heddle::testing
