#include "core/stream.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "core/check.h"
#include "core/detail/capturing.h"
#include "core/detail/per_device.h"

namespace heddle {
namespace {

// Plain data, so that a thread's last tensors may still ask while its other thread-locals are being destroyed.
constinit thread_local detail::PerDevice<StreamId> current = {};
constinit thread_local detail::PerDevice<bool> captures = {};

// How many of the operations that a capture has to wait for belong to this thread.
constinit thread_local std::size_t own_open = 0;

/// For each stream, the ticket up to which its work is known to come before.
using Clock = std::vector<std::uint64_t>;

std::uint64_t at(const Clock& clock, StreamId stream) { return stream < clock.size() ? clock[stream] : 0; }

void raise(Clock& clock, StreamId stream, std::uint64_t ticket) {
    if (clock.size() <= stream) clock.resize(stream + 1);
    clock[stream] = std::max(clock[stream], ticket);
}

void raise(Clock& clock, const Clock& other) {
    if (clock.size() < other.size()) clock.resize(other.size());
    for (std::size_t i = 0; i < other.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

/// An event in a stream, and what has happened when it has.
struct Recorded {
    EventId event = 0;
    bool exists = false;  // the event has been created
    bool valid = false;   // and recorded since the last capture
    Clock before = {};
};

struct Stream {
    bool known = false, owned = false;
    bool gone = false;  // lent, and taken back
    std::uint64_t newest = 0;
    std::vector<std::uint64_t> begun = {};  // tickets whose operations are not queued yet
    Clock before = {};                      // what the next operation comes after, by waits
    std::array<Recorded, 4> recorded = {};  // a ring: an older event is a shorter wait
    std::size_t next_record = 0;

    /// Everything up to this ticket is queued.
    std::uint64_t queued() const { return begun.empty() ? newest : *std::min_element(begun.begin(), begun.end()) - 1; }
};

}  // namespace

struct StreamScheduler::State {
    Driver& driver;
    const bool asynchronous = driver.asynchronous();
    std::mutex mutex;
    std::vector<Stream> streams;  // by id
    Clock completed;              // what the host has waited for
    std::vector<StreamUse> needed;
    std::uint64_t waits = 0, events = 0;

    // Whatever any thread queues on a stream that is being captured becomes part of the graph, and waiting for such a
    // stream spoils the capture. So other threads wait until it is over, and it begins only when none has an open
    // operation.
    std::condition_variable changed;
    std::thread::id capturing;  // the thread that captures, or is about to
    std::size_t open = 0;       // operations that are begun and not queued, and waits of the host

    explicit State(Driver& its_driver) : driver(its_driver) {}

    void let_capture_pass(std::unique_lock<std::mutex>& lock) {
        if (capturing == std::thread::id() || own_open > 0) return;  // with operations open it must go on
        changed.wait(lock, [&] { return capturing == std::thread::id() || capturing == std::this_thread::get_id(); });
    }
    void start() {
        ++open;
        ++own_open;
    }
    void finish() {
        --open;
        --own_open;
        if (capturing != std::thread::id()) changed.notify_all();
    }
    void end_turn() {
        capturing = std::thread::id();
        changed.notify_all();
    }

    Stream& stream(StreamId id) {
        if (streams.size() <= id) streams.resize(id + 1);
        streams[id].known = true;
        return streams[id];
    }

    bool passed(StreamId id, StreamUse use) {
        return use.stream == id || at(stream(id).before, use.stream) >= use.ticket ||
               at(completed, use.stream) >= use.ticket;
    }

    void wait(StreamId id, StreamUse use) {
        if (passed(id, use)) return;
        Recorded* event = nullptr;
        for (Recorded& known : stream(use.stream).recorded)
            if (known.valid && at(known.before, use.stream) >= use.ticket)
                if (!event || at(known.before, use.stream) < at(event->before, use.stream)) event = &known;
        wait(id, event ? *event : record(use.stream));
    }

    void wait(StreamId id, const Recorded& event) {
        driver.wait(id, event.event);
        ++waits;
        raise(stream(id).before, event.before);
    }

    // The ticket that a caller depends on is queued, whatever other threads have begun: the event comes after it even
    // if its clock does not show that.
    const Recorded& record(StreamId id) {
        Stream& from = stream(id);
        Recorded& slot = from.recorded[from.next_record++ % from.recorded.size()];
        if (!slot.exists) slot.event = driver.create_event();
        slot.exists = slot.valid = true;
        driver.record(slot.event, id);
        ++events;
        slot.before = from.before;
        raise(slot.before, id, from.queued());
        return slot;
    }

    // What was recorded inside a capture has happened in no stream, and a capture cannot wait for what is outside.
    void forget_events() {
        for (Stream& stream : streams)
            for (Recorded& recorded : stream.recorded) recorded.valid = false;
    }

    // Makes the other streams of a capture take part in it.
    void fork(StreamId origin) {
        for (const StreamId companion : companions(origin)) wait(companion, record(origin));
    }

    // Ends a capture that nothing can come of. What made it fail says more than what this may throw.
    void abandon_capture(StreamId origin) {
        forget_events();
        try {
            driver.destroy_graph(driver.end_capture(origin));
        } catch (const Error&) {
        }
    }

    // The streams that take part in a capture of `origin`, besides it.
    std::vector<StreamId> companions(StreamId origin) const {
        std::vector<StreamId> result;
        for (StreamId id = 0; id < streams.size(); ++id)
            if (id != origin && streams[id].owned) result.push_back(id);
        return result;
    }

    void need(StreamId id, StreamUse use) {
        if (passed(id, use)) return;
        for (StreamUse& known : needed)
            if (known.stream == use.stream) {
                known.ticket = std::max(known.ticket, use.ticket);
                return;
            }
        needed.push_back(use);
    }
};

StreamScheduler::StreamScheduler(Driver& driver) : state_(new State(driver)) { state_->stream(0); }

StreamScheduler::~StreamScheduler() {
    for (StreamId id = 0; id < state_->streams.size(); ++id) {
        for (const Recorded& recorded : state_->streams[id].recorded)
            if (recorded.exists) state_->driver.destroy_event(recorded.event);
        if (state_->streams[id].owned) state_->driver.destroy_stream(id);
    }
}

StreamId StreamScheduler::create() {
    const StreamId id = state_->driver.create_stream();
    const std::lock_guard lock(state_->mutex);
    state_->stream(id).owned = state_->asynchronous;
    state_->stream(id).gone = false;  // the number may have been a lent stream's
    return id;
}

void StreamScheduler::lend(StreamId stream) {
    const std::lock_guard lock(state_->mutex);
    state_->stream(stream).gone = false;
}

void StreamScheduler::take_back(StreamId stream) {
    {
        const std::lock_guard lock(state_->mutex);
        const Stream& lent = state_->stream(stream);
        check(stream != 0 && !lent.owned && !lent.gone, "stream {} is not a lent one", stream);
    }
    synchronize(stream);  // what was queued on it has ended, so no later operation has to wait for it
    const std::lock_guard lock(state_->mutex);
    state_->stream(stream).gone = true;
    state_->driver.destroy_stream(stream);
}

std::uint64_t StreamScheduler::begin(StreamId stream, std::span<StreamHistory* const> reads,
                                     std::span<StreamHistory* const> writes) {
    State& state = *state_;
    if (!state.asynchronous) return 0;
    std::unique_lock lock(state.mutex);
    state.let_capture_pass(lock);
    state.needed.clear();
    for (const StreamHistory* history : reads)
        if (history->written) state.need(stream, history->writer);
    for (const StreamHistory* history : writes) {
        if (history->written) state.need(stream, history->writer);
        for (const StreamUse& reader : history->readers) state.need(stream, reader);
    }
    for (const StreamUse& use : state.needed) state.wait(stream, use);

    Stream& own = state.stream(stream);
    const std::uint64_t ticket = ++own.newest;
    own.begun.push_back(ticket);
    state.start();
    const StreamUse use{stream, ticket};
    for (StreamHistory* history : reads) {
        const auto known = std::find_if(history->readers.begin(), history->readers.end(),
                                        [&](const StreamUse& reader) { return reader.stream == stream; });
        if (known == history->readers.end())
            history->readers.push_back(use);
        else
            *known = use;
    }
    for (StreamHistory* history : writes) {
        history->writer = use;
        history->written = true;
        history->readers.clear();
    }
    return ticket;
}

void StreamScheduler::queued(StreamId stream, std::uint64_t ticket) {
    if (!state_->asynchronous) return;
    const std::lock_guard lock(state_->mutex);
    std::erase(state_->stream(stream).begun, ticket);
    state_->finish();
}

void StreamScheduler::join(StreamId to, StreamId from) {
    State& state = *state_;
    if (!state.asynchronous || to == from) return;
    std::unique_lock lock(state.mutex);
    state.let_capture_pass(lock);
    state.wait(to, state.record(from));  // always: `from` may hold work that has no tickets
}

void StreamScheduler::begin_capture(StreamId stream) {
    State& state = *state_;
    {
        std::unique_lock lock(state.mutex);
        check(state.capturing != std::this_thread::get_id(), "a capture is under way on this thread");
        state.let_capture_pass(lock);
        state.capturing = std::this_thread::get_id();
        state.changed.wait(lock, [&] { return state.open <= own_open; });
    }
    try {
        synchronize();
        const std::lock_guard lock(state.mutex);
        state.forget_events();
        state.driver.begin_capture(stream);
        try {
            state.fork(stream);
            captures[state.driver.device()] = true;
        } catch (...) {
            state.abandon_capture(stream);
            throw;
        }
    } catch (...) {
        const std::lock_guard lock(state.mutex);
        state.end_turn();
        throw;
    }
}

GraphId StreamScheduler::end_capture(StreamId stream) {
    State& state = *state_;
    const std::lock_guard lock(state.mutex);
    struct Turn {
        State& state;
        ~Turn() {
            captures[state.driver.device()] = false;
            state.end_turn();
        }
    } const turn{state};
    // A spoiled capture refuses even these, and its streams refuse everything until it is ended.
    std::exception_ptr spoiled;
    try {
        for (const StreamId companion : state.companions(stream)) state.wait(stream, state.record(companion));
    } catch (...) {
        spoiled = std::current_exception();
    }
    state.forget_events();
    // Replays are queued after everything on their stream: nobody needs to wait for a captured ticket.
    for (StreamId id = 0; id < state.streams.size(); ++id) raise(state.completed, id, state.streams[id].newest);
    const GraphId graph = state.driver.end_capture(stream);
    if (!spoiled) return graph;
    state.driver.destroy_graph(graph);
    std::rethrow_exception(spoiled);
}

void StreamScheduler::synchronize(StreamId stream) {
    State& state = *state_;
    Clock done;
    {
        std::unique_lock lock(state.mutex);
        state.let_capture_pass(lock);
        if (state.stream(stream).gone) return;  // it was waited for when its owner took it back
        state.start();
        done = state.stream(stream).before;
        raise(done, stream, state.stream(stream).queued());
    }
    struct Wait {
        State& state;
        ~Wait() {
            const std::lock_guard lock(state.mutex);
            state.finish();
        }
    } const wait{state};
    state.driver.synchronize(stream);  // without the lock: other threads go on
    const std::lock_guard lock(state.mutex);
    raise(state.completed, done);
}

void StreamScheduler::synchronize() {
    std::vector<StreamId> known;
    {
        const std::lock_guard lock(state_->mutex);
        for (StreamId id = 0; id < state_->streams.size(); ++id)
            if (state_->streams[id].known && !state_->streams[id].gone) known.push_back(id);
    }
    for (const StreamId id : known) synchronize(id);
}

void StreamScheduler::wait(StreamId stream, StreamUse use) {
    if (!state_->asynchronous) return;
    std::unique_lock lock(state_->mutex);
    state_->let_capture_pass(lock);
    state_->wait(stream, use);
}

bool StreamScheduler::passed(StreamId stream, StreamUse use) {
    if (!state_->asynchronous) return true;
    const std::lock_guard lock(state_->mutex);
    return state_->passed(stream, use);
}

std::uint64_t StreamScheduler::newest(StreamId stream) {
    const std::lock_guard lock(state_->mutex);
    return state_->stream(stream).newest;
}

std::uint64_t StreamScheduler::waits() const {
    const std::lock_guard lock(state_->mutex);
    return state_->waits;
}

std::uint64_t StreamScheduler::events() const {
    const std::lock_guard lock(state_->mutex);
    return state_->events;
}

bool detail::capturing(Device device) { return captures[device]; }

StreamId current_stream(Device device) { return current[device]; }

StreamGuard::StreamGuard(Device device, StreamId stream) : device_(device), previous_(current[device]) {
    current[device] = stream;
}

StreamGuard::~StreamGuard() { current[device_] = previous_; }

}  // namespace heddle
