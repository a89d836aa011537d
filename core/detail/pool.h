#pragma once

#include <memory>
#include <set>
#include <vector>

#include "core/detail/block.h"

namespace heddle::memory {

/// Blocks up to this size are kept in lists by size; they have segments of their own, so that small blocks that live
/// long do not cut up the room for large ones.
inline constexpr std::size_t small_limit = 256 << 10;
inline constexpr std::size_t small_unit = 256;
inline constexpr std::size_t large_unit = 4096;
inline constexpr std::size_t page = 2 << 20;  ///< what segments are multiples of: a huge page, on GPUs too

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// The free blocks and the segments of one stream, small or large.
class Pool {
  public:
    Pool(StreamId stream, bool small, BlockTable& table)
        : stream_(stream), table_(&table), quick_(small ? small_limit / small_unit + 1 : 0) {}

    StreamId stream() const { return stream_; }
    bool small() const { return !quick_.empty(); }

    /// A block of exactly this size from the quick list, or null.
    Block* take_quick(std::size_t bytes) {
        Block*& head = quick_[bytes / small_unit];
        Block* block = head;
        if (block) head = block->next_quick;
        return block;
    }
    void put_quick(Block* block) {
        Block*& head = quick_[block->bytes / small_unit];
        block->next_quick = head;
        block->state = BlockState::quick;
        head = block;
    }
    /// Merges what the quick lists hold; true if that was anything.
    bool flush_quick();

    /// The smallest free block of at least `bytes`, at the lowest address; null where there is none.
    Block* best_fit(std::size_t bytes) const;
    /// Takes a free block out, cut to `bytes`; the rest stays.
    Block* take(Block* block, std::size_t bytes);
    /// Gives a block back and merges it with its free neighbours.
    void put(Block* block);

    Segment& add_segment(void* memory, std::size_t bytes, bool growable);
    /// The segment that could grow, or null.
    Segment* growable() const;
    /// Bytes free at the segment's end.
    static std::size_t free_tail(const Segment& segment);
    /// The segment is `bytes` long now (the driver has done it): its free tail grows, or shrinks.
    void resize(Segment& segment, std::size_t bytes);
    void remove_segment(Segment& segment);

    const std::vector<std::unique_ptr<Segment>>& segments() const { return segments_; }
    std::size_t largest_free() const;

  private:
    struct Smaller {
        using is_transparent = void;
        bool operator()(const Block* a, const Block* b) const {
            return a->bytes != b->bytes ? a->bytes < b->bytes : a->address < b->address;
        }
        bool operator()(const Block* a, std::size_t bytes) const { return a->bytes < bytes; }
        bool operator()(std::size_t bytes, const Block* b) const { return bytes < b->bytes; }
    };

    /// Joins `next` to `block`, its neighbour.
    void absorb(Block* block, Block* next);

    StreamId stream_;
    BlockTable* table_;
    std::vector<Block*> quick_;
    std::set<Block*, Smaller> free_;
    std::vector<std::unique_ptr<Segment>> segments_;
};

}  // namespace heddle::memory
