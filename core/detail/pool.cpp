#include "core/detail/pool.h"

#include <algorithm>

namespace heddle::memory {

bool Pool::flush_quick() {
    bool any = false;
    for (Block*& head : quick_)
        while (head) {
            Block* block = head;
            head = block->next_quick;
            put(block);
            any = true;
        }
    return any;
}

Block* Pool::best_fit(std::size_t bytes) const {
    const auto found = free_.lower_bound(bytes);
    return found == free_.end() ? nullptr : *found;
}

Block* Pool::take(Block* block, std::size_t bytes) {
    free_.erase(block);
    if (block->bytes > bytes) {
        Block* rest = table_->add(block->address + bytes, block->bytes - bytes, block->segment);
        rest->pending = block->pending;
        rest->previous = block;
        rest->next = block->next;
        (block->next ? block->next->previous : block->segment->last) = rest;
        block->next = rest;
        block->bytes = bytes;
        free_.insert(rest);
    }
    block->state = BlockState::used;
    return block;
}

void Pool::put(Block* block) {
    block->state = BlockState::free;
    if (Block* next = block->next; next && next->state == BlockState::free) {
        free_.erase(next);
        absorb(block, next);
    }
    if (Block* previous = block->previous; previous && previous->state == BlockState::free) {
        free_.erase(previous);
        absorb(previous, block);
        block = previous;
    }
    free_.insert(block);
}

void Pool::absorb(Block* block, Block* next) {
    for (const StreamUse& use : next->pending) block->add_pending(use);
    block->bytes += next->bytes;
    block->next = next->next;
    (next->next ? next->next->previous : block->segment->last) = block;
    table_->remove(next);
}

Segment& Pool::add_segment(void* memory, std::size_t bytes, bool growable) {
    Segment& segment = *segments_.emplace_back(std::make_unique<Segment>());
    segment.address = static_cast<std::byte*>(memory);
    segment.bytes = bytes;
    segment.pool = this;
    segment.growable = growable;
    segment.first = segment.last = table_->add(segment.address, bytes, &segment);
    free_.insert(segment.first);
    return segment;
}

Segment* Pool::growable() const {
    for (const auto& segment : segments_)
        if (segment->growable) return segment.get();
    return nullptr;
}

std::size_t Pool::free_tail(const Segment& segment) {
    return segment.last->state == BlockState::free ? segment.last->bytes : 0;
}

void Pool::resize(Segment& segment, std::size_t bytes) {
    Block* last = segment.last;
    if (bytes > segment.bytes && last->state != BlockState::free) {
        Block* tail = table_->add(segment.address + segment.bytes, bytes - segment.bytes, &segment);
        tail->previous = last;
        last->next = segment.last = tail;
        free_.insert(tail);
    } else {
        free_.erase(last);
        last->bytes = last->bytes + bytes - segment.bytes;
        if (last->bytes > 0) {
            free_.insert(last);
        } else {
            segment.last = last->previous;
            segment.last->next = nullptr;
            table_->remove(last);
        }
    }
    segment.bytes = bytes;
}

void Pool::remove_segment(Segment& segment) {
    free_.erase(segment.first);
    table_->remove(segment.first);
    std::erase_if(segments_, [&](const auto& owned) { return owned.get() == &segment; });
}

std::size_t Pool::largest_free() const {
    std::size_t largest = free_.empty() ? 0 : (*free_.rbegin())->bytes;
    for (std::size_t size = quick_.size(); size-- > 1;)
        if (quick_[size]) {
            largest = std::max(largest, size * small_unit);
            break;
        }
    return largest;
}

}  // namespace heddle::memory
