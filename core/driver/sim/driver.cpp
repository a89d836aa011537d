#include "core/driver/sim/driver.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/check.h"

namespace heddle::sim {
namespace {

constexpr std::size_t most_queued = 4096;  // items; their arguments take memory

std::size_t machine_memory() {
    return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

const char* name_of(RunOrder order) {
    return order == RunOrder::earliest ? "earliest" : order == RunOrder::latest ? "latest" : "random";
}

}  // namespace

SimDriver::SimDriver(RunOrder order, std::uint64_t seed) : order_(order), queue_(order, seed) { streams_[0] = true; }

std::string SimDriver::description() const {
    return fmt::format("simulator: the kernels run on one thread of the CPU; streams {}", name_of(order_));
}

void* SimDriver::allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes > machine_memory()) return nullptr;
    return memory_.allocate(bytes);
}

void SimDriver::free(void* memory) {
    const std::lock_guard lock(mutex_);
    run_until([this] { return queue_.size() == 0; });
    memory_.free(memory);
}

void* SimDriver::allocate_pinned(std::size_t bytes) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 256, bytes > 0 ? bytes : 1) != 0) return nullptr;
    const std::lock_guard lock(mutex_);
    pinned_[static_cast<const std::byte*>(memory)] = bytes;
    return memory;
}

void SimDriver::free_pinned(void* memory) {
    const std::lock_guard lock(mutex_);
    run_until([this] { return queue_.size() == 0; });
    pinned_.erase(static_cast<const std::byte*>(memory));
    std::free(memory);
}

std::size_t SimDriver::total_memory() const { return machine_memory(); }

std::size_t SimDriver::free_memory() const {
    return static_cast<std::size_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

bool SimDriver::pinned(const void* address) const {
    const auto* byte = static_cast<const std::byte*>(address);
    auto next = pinned_.upper_bound(byte);
    if (next == pinned_.begin()) return false;
    --next;
    return byte < next->first + std::max<std::size_t>(next->second, 1);
}

void SimDriver::copy(void* to, const void* from, std::size_t bytes, CopyKind kind, StreamId stream) {
    if (bytes == 0) return;
    const std::lock_guard lock(mutex_);
    check(kind == CopyKind::host_to_device || memory_.contains(from), "sim: copy: the source is no device memory");
    check(kind == CopyKind::device_to_host || memory_.contains(to), "sim: copy: the target is no device memory");
    const void* host = kind == CopyKind::host_to_device ? from : to;
    if (kind == CopyKind::device_to_device || pinned(host)) {
        push(stream, {Item::Kind::work, "copy", [=] { std::memmove(to, from, bytes); }});
        return;
    }
    check_not_capturing(stream, "a copy from or to memory that is not pinned");
    if (kind == CopyKind::host_to_device) {
        const auto* first = static_cast<const std::byte*>(from);
        const auto values = std::make_shared<std::vector<std::byte>>(first, first + bytes);
        push(stream, {Item::Kind::work, "copy", [=] { std::memcpy(to, values->data(), bytes); }});
        return;
    }
    push(stream, {Item::Kind::work, "copy", [=] { std::memcpy(to, from, bytes); }});
    synchronize(stream);
}

void SimDriver::fill_zero(void* memory, std::size_t bytes, StreamId stream) {
    const std::lock_guard lock(mutex_);
    push(stream, {Item::Kind::work, "fill_zero", [=] { std::memset(memory, 0, bytes); }});
}

void SimDriver::launch(StreamId stream, const char* name, const std::function<void()>& work) {
    const std::lock_guard lock(mutex_);
    push(stream, {Item::Kind::work, name, work});
}

void SimDriver::push(StreamId stream, Item item) {
    check_stream(stream);
    if (capture_ && capture_->has(stream)) {
        check_not_spoiled();
        capture_->add(stream, std::move(item));
        return;
    }
    queue_.push(stream, std::move(item));
    if (queue_.size() > most_queued) run_until([this] { return queue_.size() == 0; });
}

template <class Done>
void SimDriver::run_until(const Done& done) {
    if (done()) return;
    const DeviceMemory::Access access(memory_);
    while (!done()) queue_.step();
}

void SimDriver::check_stream(StreamId stream) const {
    check(streams_.contains(stream), "sim: there is no stream {}", stream);
}

void SimDriver::check_not_capturing(StreamId stream, const char* call) {
    if (!capture_ || !capture_->has(stream)) return;
    check_not_spoiled();
    capture_->spoil();
    fail(fmt::format("sim: {} is not possible while stream {} is being captured", call, stream));
}

void SimDriver::check_not_spoiled() const {
    check(!capture_->spoiled(), "sim: an earlier call that a capture cannot record has spoiled it");
}

StreamId SimDriver::create_stream() {
    const std::lock_guard lock(mutex_);
    streams_[next_stream_] = true;
    return next_stream_++;
}

void SimDriver::destroy_stream(StreamId stream) {
    const std::lock_guard lock(mutex_);
    synchronize(stream);
    streams_.erase(stream);
}

void SimDriver::synchronize(StreamId stream) {
    const std::lock_guard lock(mutex_);
    check_stream(stream);
    check_not_capturing(stream, "waiting");
    run_until([&] { return queue_.empty(stream); });
}

EventId SimDriver::create_event() {
    const std::lock_guard lock(mutex_);
    events_[next_event_] = std::make_shared<Event>();
    return next_event_++;
}

void SimDriver::destroy_event(EventId event) {
    const std::lock_guard lock(mutex_);
    events_.erase(event);
}

void SimDriver::record(EventId id, StreamId stream) {
    const std::lock_guard lock(mutex_);
    const auto& event = events_.at(id);
    event->captured = capture_ && capture_->has(stream);
    push(stream, {Item::Kind::record, "record", {}, event, ++event->recorded});
}

void SimDriver::wait(StreamId stream, EventId id) {
    const std::lock_guard lock(mutex_);
    check_stream(stream);
    const auto& event = events_.at(id);
    if (event->recorded == 0) return;  // never recorded: nothing to wait for, as in CUDA
    if (capture_ && event->captured) {
        check_not_spoiled();
        check(capture_->has(stream) || queue_.empty(stream),
              "sim: capture: stream {} joins it with work queued that was not captured", stream);
        capture_->add(stream, {Item::Kind::wait, "wait", {}, event, event->recorded});
        return;
    }
    check_not_capturing(stream, "a wait for an event recorded outside");
    push(stream, {Item::Kind::wait, "wait", {}, event, event->recorded});
}

bool SimDriver::query(EventId id) {
    const std::lock_guard lock(mutex_);
    const auto& event = events_.at(id);
    return event->happened == event->recorded;
}

void SimDriver::begin_capture(StreamId stream) {
    const std::lock_guard lock(mutex_);
    check_stream(stream);
    check(!capture_, "sim: a capture is under way");
    capture_.emplace(stream);
}

GraphId SimDriver::end_capture(StreamId stream) {
    const std::lock_guard lock(mutex_);
    check(capture_ && capture_->origin() == stream, "sim: stream {} is not being captured", stream);
    Graph graph = std::move(*capture_);
    capture_.reset();
    for (const auto& [id, event] : events_)
        if (event->captured) *event = Event();  // it happened in no stream
    check(!graph.spoiled(), "sim: capture: an earlier call that it cannot record has spoiled it");
    graph.finish();
    graphs_.emplace(next_graph_, std::move(graph));
    return next_graph_++;
}

void SimDriver::replay(GraphId graph, StreamId stream) {
    const std::lock_guard lock(mutex_);
    check_stream(stream);
    check_not_capturing(stream, "a replay");
    const auto place = graphs_.find(graph);
    check(place != graphs_.end(), "sim: there is no graph {}", graph);
    if (queue_.size() == 0) next_internal_ = StreamId{1} << 24;
    next_internal_ += place->second.replay(queue_, stream, next_internal_);
}

void SimDriver::destroy_graph(GraphId graph) {
    const std::lock_guard lock(mutex_);
    run_until([this] { return queue_.size() == 0; });
    graphs_.erase(graph);
}

}  // namespace heddle::sim
