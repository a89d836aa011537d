#include "core/graph.h"

#include "core/allocator.h"
#include "core/check.h"
#include "core/detail/borrowed_memory.h"
#include "core/detail/capturing.h"
#include "core/stream.h"

namespace heddle {
namespace {

/// A graph's own memory, which it borrows from its device's allocator. Work that the capture has recorded refers to it,
/// so that it stays as it is whatever HEDDLE_ALLOCATOR says.
struct GraphMemory {
    detail::BorrowedMemory borrowed;
    Allocator allocator;

    explicit GraphMemory(Device device)
        : borrowed(driver(device), heddle::allocator(device)),
          allocator(borrowed, &scheduler(device), AllocatorMode::caching) {}
};

}  // namespace

struct Graph::State {
    Device device;
    std::shared_ptr<Allocator> memory;  // a part of a GraphMemory
    GraphId graph = 0;
    bool captured = false;

    ~State() {
        // Releasing memory waits for the device, and no other thread may capture meanwhile.
        const StreamOperation operation(scheduler(device), current_stream(device), {}, {});
        try {
            if (captured) {
                if (!detail::capturing(device)) scheduler(device).synchronize();  // else all replays are done
                driver(device).destroy_graph(graph);
            }
        } catch (const Error&) {  // a replay failed: whoever waits next for the device hears of it
        }
        memory.reset();
    }
};

bool Graph::can_capture(Device device) { return driver(device).can_capture(); }

Graph Graph::capture(Device device, const std::function<void()>& work) {
    check(can_capture(device), "Graph: {} cannot capture", device);
    Graph result;
    result.state_ = std::make_shared<State>();
    State& state = *result.state_;
    state.device = device;
    const auto own = std::make_shared<GraphMemory>(device);
    state.memory = std::shared_ptr<Allocator>(own, &own->allocator);
    const StreamId stream = current_stream(device);
    scheduler(device).begin_capture(stream);
    try {
        const PrivateMemory memory(device, state.memory);
        work();
    } catch (...) {
        try {
            driver(device).destroy_graph(scheduler(device).end_capture(stream));
        } catch (const Error&) {  // what `work` threw says more
        }
        throw;
    }
    state.graph = scheduler(device).end_capture(stream);
    state.captured = true;
    return result;
}

void Graph::replay() const {
    check(state_ != nullptr, "Graph: replay of an empty graph");
    const StreamId stream = current_stream(state_->device);
    const StreamOperation operation(scheduler(state_->device), stream, {}, {});
    driver(state_->device).replay(state_->graph, stream);
}

std::size_t Graph::reserved_bytes() const { return state_ ? state_->memory->stats().reserved : 0; }

}  // namespace heddle
