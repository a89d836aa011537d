#include "core/driver/sim/queue.h"

#include <algorithm>

#include "core/check.h"

namespace heddle::sim {

void Queue::push(StreamId stream, Item item) {
    item.sequence = sequence_++;
    streams_[stream].push_back(std::move(item));
    ++size_;
}

bool Queue::empty(StreamId stream) const { return !streams_.contains(stream); }

void Queue::clear() {
    streams_.clear();
    size_ = 0;
}

void Queue::step() {
    using Place = std::map<StreamId, std::deque<Item>>::iterator;
    std::vector<Place> ready;
    for (auto place = streams_.begin(); place != streams_.end(); ++place) {
        const Item& front = place->second.front();
        if (front.kind != Item::Kind::wait || front.event->happened >= front.version) ready.push_back(place);
    }
    check(!ready.empty(), "sim: no stream can go on: each waits for an event that nothing queued will record");
    const auto queued_before = [](const Place& a, const Place& b) {
        return a->second.front().sequence < b->second.front().sequence;
    };
    Place chosen = ready.front();
    if (order_ == RunOrder::earliest) chosen = *std::min_element(ready.begin(), ready.end(), queued_before);
    if (order_ == RunOrder::latest) chosen = *std::max_element(ready.begin(), ready.end(), queued_before);
    if (order_ == RunOrder::random) chosen = ready[random_() % ready.size()];

    const Item item = std::move(chosen->second.front());
    chosen->second.pop_front();
    if (chosen->second.empty()) streams_.erase(chosen);
    --size_;
    try {
        if (item.kind == Item::Kind::work) item.work();
    } catch (...) {
        clear();
        throw;
    }
    if (item.kind == Item::Kind::record) item.event->happened = std::max(item.event->happened, item.version);
}

void Graph::add(StreamId stream, Item item) {
    Clock& clock = clocks_[stream];
    if (item.kind == Item::Kind::wait)
        for (const auto& [other, count] : recorded_.at({item.event.get(), item.version}))
            clock[other] = std::max(clock[other], count);
    ++clock[stream];
    if (item.kind == Item::Kind::record) recorded_[{item.event.get(), item.version}] = clock;
    items_.emplace_back(stream, std::move(item));
}

void Graph::finish() const {
    const Clock& end = clocks_.at(origin_);
    for (const auto& [stream, clock] : clocks_) {
        // Waits do no work: look for the last item that does something.
        int last = 0, index = 0;
        for (const auto& [other, item] : items_)
            if (other == stream && (++index, item.kind == Item::Kind::work)) last = index;
        const auto seen = end.find(stream);
        check(stream == origin_ || last == 0 || (seen != end.end() && seen->second >= last),
              "sim: capture: stream {} has work that stream {} does not wait for", stream, origin_);
    }
}

StreamId Graph::replay(Queue& queue, StreamId stream, StreamId first_free) const {
    std::map<StreamId, StreamId> renamed;
    for (const auto& [member, clock] : clocks_) renamed[member] = first_free + static_cast<StreamId>(renamed.size());
    std::map<const Event*, std::shared_ptr<Event>> events;
    const auto fresh = [&](const std::shared_ptr<Event>& event) {
        auto& place = events[event.get()];
        if (!place) place = std::make_shared<Event>();
        return place;
    };
    const auto start = std::make_shared<Event>();
    queue.push(stream, {Item::Kind::record, "replay", {}, start, 1});
    for (const auto& [member, own] : renamed) queue.push(own, {Item::Kind::wait, "replay", {}, start, 1});
    for (const auto& [member, item] : items_) {
        Item copy = item;
        if (copy.event) copy.event = fresh(item.event);
        queue.push(renamed.at(member), std::move(copy));
    }
    for (const auto& [member, own] : renamed) {
        const auto end = std::make_shared<Event>();
        queue.push(own, {Item::Kind::record, "replay", {}, end, 1});
        queue.push(stream, {Item::Kind::wait, "replay", {}, end, 1});
    }
    return static_cast<StreamId>(renamed.size());
}

}  // namespace heddle::sim
