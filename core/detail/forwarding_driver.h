#pragma once

#include "core/driver/driver.h"

namespace heddle::detail {

/// Hands every call on to another driver: the base of one that does a few things in another way.
class ForwardingDriver : public Driver {
  public:
    explicit ForwardingDriver(Driver& driver) : driver_(driver) {}

    Device device() const override { return driver_.device(); }
    std::string description() const override { return driver_.description(); }

    void* allocate(std::size_t bytes) override { return driver_.allocate(bytes); }
    void free(void* memory) override { driver_.free(memory); }
    void* allocate_growable(std::size_t bytes) override { return driver_.allocate_growable(bytes); }
    bool resize(void* memory, std::size_t bytes) override { return driver_.resize(memory, bytes); }
    void free_growable(void* memory) override { driver_.free_growable(memory); }
    void* allocate_pinned(std::size_t bytes) override { return driver_.allocate_pinned(bytes); }
    void free_pinned(void* memory) override { driver_.free_pinned(memory); }
    std::size_t total_memory() const override { return driver_.total_memory(); }
    std::size_t free_memory() const override { return driver_.free_memory(); }

    void copy(void* to, const void* from, std::size_t bytes, CopyKind kind, StreamId stream) override {
        driver_.copy(to, from, bytes, kind, stream);
    }
    void fill_zero(void* memory, std::size_t bytes, StreamId stream) override {
        driver_.fill_zero(memory, bytes, stream);
    }
    void launch(StreamId stream, const char* name, const std::function<void()>& work) override {
        driver_.launch(stream, name, work);
    }

    StreamId create_stream() override { return driver_.create_stream(); }
    void destroy_stream(StreamId stream) override { driver_.destroy_stream(stream); }
    void synchronize(StreamId stream) override { driver_.synchronize(stream); }
    StreamId lend_stream(void* native) override { return driver_.lend_stream(native); }
    void* native_stream(StreamId stream) override { return driver_.native_stream(stream); }
    bool asynchronous() const override { return driver_.asynchronous(); }

    EventId create_event() override { return driver_.create_event(); }
    void destroy_event(EventId event) override { driver_.destroy_event(event); }
    void record(EventId event, StreamId stream) override { driver_.record(event, stream); }
    void wait(StreamId stream, EventId event) override { driver_.wait(stream, event); }
    bool query(EventId event) override { return driver_.query(event); }

    bool can_capture() const override { return driver_.can_capture(); }
    void begin_capture(StreamId stream) override { driver_.begin_capture(stream); }
    GraphId end_capture(StreamId stream) override { return driver_.end_capture(stream); }
    void replay(GraphId graph, StreamId stream) override { driver_.replay(graph, stream); }
    void destroy_graph(GraphId graph) override { driver_.destroy_graph(graph); }

  private:
    Driver& driver_;
};

}  // namespace heddle::detail
