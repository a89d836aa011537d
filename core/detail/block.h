#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/allocator.h"

// Private to the allocator: its bookkeeping, which is never stored in the memory itself (the host cannot read that).
namespace heddle::memory {

class Pool;
struct Segment;

enum class BlockState : std::uint8_t {
    used,   ///< somebody holds it
    quick,  ///< free, kept whole in a list of its size
    free    ///< free, merged with its free neighbours, known to the pool by size
};

/// A part of a segment. The blocks of a segment cover it without gaps.
struct Block {
    std::byte* address = nullptr;
    std::size_t bytes = 0;
    Segment* segment = nullptr;
    Block* previous = nullptr;  ///< the neighbours in the segment
    Block* next = nullptr;
    Block* next_quick = nullptr;
    const char* tag = nullptr;
    StreamId stream = 0;  ///< that it is used on
    BlockState state = BlockState::free;
    /// What must have passed before the memory is used again; at most one entry a stream.
    std::vector<StreamUse> pending = {};

    void add_pending(StreamUse use) {
        for (StreamUse& known : pending)
            if (known.stream == use.stream) {
                if (known.ticket < use.ticket) known.ticket = use.ticket;
                return;
            }
        pending.push_back(use);
    }
};

/// Memory from one call to the driver.
struct Segment {
    std::byte* address = nullptr;
    std::size_t bytes = 0;
    Pool* pool = nullptr;
    bool growable = false;
    Block* first = nullptr;
    Block* last = nullptr;
};

/// Finds blocks by address: open addressing with linear probing. It owns them.
class BlockTable {
  public:
    BlockTable() : slots_(256) {}

    Block* find(const void* address) const {
        for (std::size_t i = home(address);; i = (i + 1) & (slots_.size() - 1)) {
            if (slots_[i].address == address) return slots_[i].block;
            if (!slots_[i].address) return nullptr;
        }
    }

    /// A new block at an address that has none.
    Block* add(std::byte* address, std::size_t bytes, Segment* segment) {
        if (2 * (count_ + 1) > slots_.size()) grow();
        Block* block;
        if (spare_.empty()) {
            block = &blocks_.emplace_back();
        } else {
            block = spare_.back();
            spare_.pop_back();
        }
        block->address = address;
        block->bytes = bytes;
        block->segment = segment;
        put(address, block);
        ++count_;
        return block;
    }

    void remove(Block* block) {
        std::size_t hole = home(block->address);
        while (slots_[hole].block != block) hole = (hole + 1) & (slots_.size() - 1);
        // Later entries of the same run move up, so that no probe ends early.
        for (std::size_t i = hole;;) {
            i = (i + 1) & (slots_.size() - 1);
            if (!slots_[i].address) break;
            const std::size_t wanted = home(slots_[i].address);
            if (((i - wanted) & (slots_.size() - 1)) < ((i - hole) & (slots_.size() - 1))) continue;
            slots_[hole] = slots_[i];
            hole = i;
        }
        slots_[hole] = {};
        *block = Block();
        spare_.push_back(block);
        --count_;
    }

    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const Slot& slot : slots_)
            if (slot.address) visit(*slot.block);
    }

  private:
    struct Slot {
        const void* address = nullptr;
        Block* block = nullptr;
    };

    std::size_t home(const void* address) const {
        const std::uint64_t mixed = (reinterpret_cast<std::uintptr_t>(address) >> 4) * 0x9E3779B97F4A7C15u;
        return static_cast<std::size_t>(mixed >> 32) & (slots_.size() - 1);
    }
    void put(const void* address, Block* block) {
        std::size_t i = home(address);
        while (slots_[i].address) i = (i + 1) & (slots_.size() - 1);
        slots_[i] = {address, block};
    }
    void grow() {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old)
            if (slot.address) put(slot.address, slot.block);
    }

    std::vector<Slot> slots_;
    std::size_t count_ = 0;
    std::deque<Block> blocks_;
    std::vector<Block*> spare_;
};

}  // namespace heddle::memory
