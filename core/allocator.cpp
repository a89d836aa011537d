#include "core/allocator.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "core/check.h"
#include "core/detail/borrowed_memory.h"
#include "core/detail/capturing.h"
#include "core/detail/pool.h"
#include "core/detail/spin_lock.h"
#include "core/env.h"

namespace heddle {
namespace {

using namespace memory;

#if defined(HEDDLE_SANITIZED)
constexpr bool passthrough_by_default = true;
#else
constexpr bool passthrough_by_default = false;
#endif

bool wants_passthrough() {
    const auto mode = env("HEDDLE_ALLOCATOR");
    check(!mode || *mode == "caching" || *mode == "passthrough",
          "HEDDLE_ALLOCATOR: expected caching or passthrough, got \"{}\"", mode.value_or(""));
    return mode ? *mode == "passthrough" : passthrough_by_default;
}

std::string readable(std::size_t bytes) {
    if (bytes < (1 << 10)) return fmt::format("{} bytes", bytes);
    if (bytes < (1 << 20)) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / (1 << 10));
    if (bytes < (1 << 30)) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
    return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30));
}

struct StreamPools {
    Pool small, large;
    StreamPools(StreamId stream, BlockTable& table) : small(stream, true, table), large(stream, false, table) {}
};

/// While it lives no other thread captures, so this one may wait for the device: it is an open operation, which begins
/// when a capture is over, and which the next one waits for. It comes before the allocator's lock, which the thread
/// that captures needs, too.
class NoCapture {
  public:
    explicit NoCapture(StreamScheduler* scheduler) {
        using Histories = std::span<StreamHistory* const>;
        if (scheduler) operation_.emplace(*scheduler, StreamId{0}, Histories(), Histories());
    }

  private:
    std::optional<StreamOperation> operation_;
};

}  // namespace

double MemoryStats::fragmentation() const {
    const std::size_t free = reserved - allocated;
    return free > 0 ? 1.0 - static_cast<double>(largest_free) / static_cast<double>(free) : 0.0;
}

struct Allocator::State {
    Driver& driver;
    StreamOrder* order;
    StreamScheduler* scheduler;  // what `order` is, if it is one
    const bool passthrough;

    SpinLock mutex;
    MemoryStats stats;
    std::size_t limit = 0;
    BlockTable table;
    std::vector<std::unique_ptr<StreamPools>> pools;  // by stream
    std::string refusal;  // where the memory is borrowed: what the lender said when it had none

    State(Driver& its_driver, StreamOrder* its_order, AllocatorMode mode)
        : driver(its_driver),
          order(its_order),
          scheduler(dynamic_cast<StreamScheduler*>(its_order)),
          passthrough(mode == AllocatorMode::from_environment && wants_passthrough()) {
        if (mode == AllocatorMode::from_environment) limit = env_bytes("HEDDLE_MEMORY_LIMIT").value_or(0);
    }

    StreamPools& pools_of(StreamId stream) {
        while (pools.size() <= stream) pools.push_back(nullptr);
        if (!pools[stream]) pools[stream] = std::make_unique<StreamPools>(stream, table);
        return *pools[stream];
    }

    template <class Visit>
    void for_each_pool(const Visit& visit) const {
        for (const auto& both : pools)
            if (both) {
                visit(both->small);
                visit(both->large);
            }
    }

    // The stream has to wait for `waits` before it uses the block.
    void* hand_out(Block* block, StreamId stream, const char* tag, std::vector<StreamUse>& waits) {
        for (const StreamUse& use : block->pending)
            if (use.stream != stream) waits.push_back(use);
        block->pending.clear();
        block->state = BlockState::used;
        block->stream = stream;
        block->tag = tag;
        stats.allocated += block->bytes;
        if (stats.allocated > stats.peak_allocated) stats.peak_allocated = stats.allocated;
        return block->address;
    }

    // A block of at least `bytes`, or null. Giving memory back to make room needs a `NoCapture`.
    Block* take(std::size_t bytes, StreamId stream, bool may_release) {
        const std::size_t wanted = bytes > 0 ? bytes : 1;
        if (wanted > (std::size_t{1} << 48)) [[unlikely]]
            return nullptr;
        if (passthrough) {
            // One segment per block, of exactly its size, so that a sanitizer detects an access to the first byte
            // beyond.
            Pool& pool = pools_of(stream).large;
            return add_segment(pool, wanted) ? pool.take(pool.segments().back()->first, wanted) : nullptr;
        }
        const std::size_t rounded = round_up(wanted, wanted <= small_limit ? small_unit : large_unit);
        if (rounded <= small_limit && stream < pools.size() && pools[stream])
            if (Block* block = pools[stream]->small.take_quick(rounded)) return block;
        return find(rounded, stream, may_release);
    }

    // The stream's own memory first, then another stream's that needs no wait, then new memory. Waiting for another
    // stream is the last resort, because it may cost the overlap that streams are for.
    Block* find(std::size_t bytes, StreamId stream, bool may_release) {
        Pool& pool = bytes <= small_limit ? pools_of(stream).small : pools_of(stream).large;
        if (Block* block = pool.best_fit(bytes)) return pool.take(block, bytes);
        if (pool.flush_quick())
            if (Block* block = pool.best_fit(bytes)) return pool.take(block, bytes);
        if (order)
            if (Block* block = borrow(bytes, stream, &pool)) return block;
        if (grow(pool, bytes)) return pool.take(pool.best_fit(bytes), bytes);
        for_each_pool([](Pool& any) { any.flush_quick(); });
        if (Block* block = borrow(bytes, stream, nullptr)) return block;
        if (!may_release) return nullptr;
        release_cache();
        if (grow(pool, bytes)) return pool.take(pool.best_fit(bytes), bytes);
        return nullptr;
    }

    // The best fit of all pools; with `like`, of those that serve the same sizes and need no wait.
    Block* borrow(std::size_t bytes, StreamId stream, const Pool* like) {
        Block* best = nullptr;
        for_each_pool([&](Pool& pool) {
            Block* block = pool.best_fit(bytes);
            if (!block || (best && best->bytes <= block->bytes)) return;
            if (like && (pool.small() != like->small() || !passed(*block, stream))) return;
            if (!order && pool.stream() != stream) return;
            best = block;
        });
        return best ? best->segment->pool->take(best, bytes) : nullptr;
    }

    bool passed(const Block& block, StreamId stream) const {
        return std::all_of(block.pending.begin(), block.pending.end(),
                           [&](const StreamUse& use) { return order->passed(stream, use); });
    }

    // Adds memory to a pool so that `bytes` fit: by enlarging its segment in place if the device can do that (so that
    // there are no gaps between segments), else as a new segment.
    bool grow(Pool& pool, std::size_t bytes) {
        if (pool.small()) return add_segment(pool, page) || add_segment(pool, bytes);
        if (Segment* segment = pool.growable()) {
            const std::size_t more = round_up(bytes - Pool::free_tail(*segment), page);
            if (within_limit(more) && driver.resize(segment->address, segment->bytes + more)) {
                pool.resize(*segment, segment->bytes + more);
                reserve(more);
                return true;
            }
        } else if (const std::size_t size = round_up(bytes, page); within_limit(size)) {
            if (void* memory = driver.allocate_growable(size)) {
                pool.add_segment(memory, size, true);
                reserve(size);
                return true;
            }
        }
        const std::size_t roomy = std::max(bytes, std::min<std::size_t>(stats.reserved / 6, 256 << 20));
        return add_segment(pool, round_up(roomy, page)) || add_segment(pool, bytes);
    }

    bool add_segment(Pool& pool, std::size_t bytes) {
        if (!within_limit(bytes)) return false;
        void* memory = nullptr;
        try {
            memory = driver.allocate(bytes);
        } catch (const detail::OutOfMemory& error) {
            refusal = error.what();
        }
        if (!memory) return false;
        pool.add_segment(memory, bytes, false);
        reserve(bytes);
        return true;
    }

    bool within_limit(std::size_t bytes) const { return limit == 0 || stats.reserved + bytes <= limit; }

    void reserve(std::size_t bytes) {
        stats.reserved += bytes;
        stats.peak_reserved = std::max(stats.peak_reserved, stats.reserved);
        ++stats.driver_allocations;
    }

    // The driver takes memory back only when the device is done with it: here, and only here, the host waits.
    void settle(const Block& block, StreamId stream) {
        if (!driver.asynchronous() || detail::capturing(driver.device())) return;
        synchronize(stream);
        for (const StreamUse& use : block.pending) synchronize(use.stream);
    }

    void settle_all() {
        if (!driver.asynchronous() || detail::capturing(driver.device())) return;
        if (scheduler) return scheduler->synchronize();
        for_each_pool([&](const Pool& pool) { driver.synchronize(pool.stream()); });
    }

    void synchronize(StreamId stream) {
        if (scheduler)
            scheduler->synchronize(stream);
        else
            driver.synchronize(stream);
    }

    void release_cache() {
        for_each_pool([&](Pool& pool) {
            pool.flush_quick();
            for (std::size_t i = pool.segments().size(); i-- > 0;) {
                Segment& segment = *pool.segments()[i];
                const std::size_t tail = Pool::free_tail(segment);
                if (tail == segment.bytes) {
                    settle(*segment.last, pool.stream());
                    release(segment);
                    pool.remove_segment(segment);
                } else if (const std::size_t less = tail / page * page; segment.growable && less > 0) {
                    settle(*segment.last, pool.stream());
                    if (!driver.resize(segment.address, segment.bytes - less)) continue;
                    pool.resize(segment, segment.bytes - less);
                    stats.reserved -= less;
                }
            }
        });
    }

    void release(const Segment& segment) {
        stats.reserved -= segment.bytes;
        if (segment.growable)
            driver.free_growable(segment.address);
        else
            driver.free(segment.address);
    }

    std::size_t largest_free() const {
        std::size_t largest = 0;
        for_each_pool([&](const Pool& pool) { largest = std::max(largest, pool.largest_free()); });
        return largest;
    }

    [[noreturn]] void fail_out_of_memory(std::size_t bytes, const char* tag) const {
        if (!refusal.empty()) throw detail::OutOfMemory(refusal);
        struct Holder {
            std::size_t bytes = 0, blocks = 0;
        };
        std::map<std::string_view, Holder> holders;
        table.for_each([&](const Block& block) {
            if (block.state != BlockState::used) return;
            holders[block.tag].bytes += block.bytes;
            ++holders[block.tag].blocks;
        });
        std::vector<std::pair<std::string_view, Holder>> biggest(holders.begin(), holders.end());
        std::sort(biggest.begin(), biggest.end(),
                  [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
        if (biggest.size() > 5) biggest.resize(5);
        std::string held;
        for (const auto& [name, holder] : biggest)
            held += fmt::format("{}{} {} in {} blocks", held.empty() ? "" : ", ", name, readable(holder.bytes),
                                holder.blocks);
        throw detail::OutOfMemory(fmt::format(
            "out of memory on {}: cannot allocate {} for {}; {} allocated, {} reserved, {}, largest free "
            "block {}; held by: {}",
            driver.device().to_string(), readable(bytes), tag, readable(stats.allocated), readable(stats.reserved),
            limit > 0 ? "limit " + readable(limit) : "device has " + readable(driver.total_memory()),
            readable(largest_free()), held.empty() ? "nobody" : held));
    }
};

Allocator::Allocator(Driver& driver, StreamOrder* order, AllocatorMode mode) : state_(new State(driver, order, mode)) {}

Allocator::~Allocator() {
    State& state = *state_;
    try {
        const NoCapture guard(state.scheduler);
        state.settle_all();
        state.for_each_pool([&](const Pool& pool) {
            for (const auto& segment : pool.segments()) state.release(*segment);
        });
    } catch (const Error&) {  // the device has failed: whoever waits next for it hears of it
    }
}

void* Allocator::allocate(std::size_t bytes, StreamId stream, const char* tag) {
    State& state = *state_;
    std::vector<StreamUse> waits;
    void* memory = nullptr;
    {
        const std::lock_guard lock(state.mutex);
        ++state.stats.allocations;
        if (Block* block = state.take(bytes, stream, false)) memory = state.hand_out(block, stream, tag, waits);
    }
    if (!memory) {
        const NoCapture guard(state.scheduler);
        const std::lock_guard lock(state.mutex);
        state.refusal.clear();
        Block* block = state.take(bytes, stream, true);
        if (!block) state.fail_out_of_memory(bytes, tag);
        memory = state.hand_out(block, stream, tag, waits);
    }
    try {  // without the lock: another thread's capture may have to pass
        for (const StreamUse& use : waits) state.order->wait(stream, use);
    } catch (...) {
        free(memory, waits);
        throw;
    }
    return memory;
}

void Allocator::free(void* memory, std::span<const StreamUse> uses) {
    if (!memory) return;
    State& state = *state_;
    const NoCapture guard(state.passthrough ? state.scheduler : nullptr);
    const std::lock_guard lock(state.mutex);
    Block* block = state.table.find(memory);
    check(block && block->state == BlockState::used, "Allocator: {} is no block of {} that is in use", memory,
          state.driver.device().to_string());
    state.stats.allocated -= block->bytes;
    Pool& pool = *block->segment->pool;
    if (state.order) {
        block->add_pending({block->stream, state.order->newest(block->stream)});
        for (const StreamUse& use : uses) block->add_pending(use);
    }
    if (state.passthrough) {
        state.settle(*block, block->stream);
        Segment& segment = *block->segment;
        pool.put(block);
        state.release(segment);
        pool.remove_segment(segment);
    } else if (pool.small() && block->bytes <= small_limit) {
        pool.put_quick(block);
    } else {
        pool.put(block);
    }
}

MemoryStats Allocator::stats() const {
    const std::lock_guard lock(state_->mutex);
    MemoryStats result = state_->stats;
    result.largest_free = state_->largest_free();
    return result;
}

void Allocator::reset_peak() {
    const std::lock_guard lock(state_->mutex);
    state_->stats.peak_allocated = state_->stats.allocated;
    state_->stats.peak_reserved = state_->stats.reserved;
}

void Allocator::set_limit(std::size_t bytes) {
    const std::lock_guard lock(state_->mutex);
    state_->limit = bytes;
}

void Allocator::empty_cache() {
    const NoCapture guard(state_->scheduler);
    const std::lock_guard lock(state_->mutex);
    state_->release_cache();
}

namespace {

constinit thread_local PrivateMemory* innermost = nullptr;

}  // namespace

PrivateMemory::PrivateMemory(Device device, std::shared_ptr<Allocator> memory)
    : device_(device), memory_(std::move(memory)), outer_(innermost) {
    innermost = this;
}

PrivateMemory::~PrivateMemory() { innermost = outer_; }

const std::shared_ptr<Allocator>& PrivateMemory::current(Device device) {
    static const std::shared_ptr<Allocator> none;
    for (const PrivateMemory* scope = innermost; scope; scope = scope->outer_)
        if (scope->device_ == device) return scope->memory_;
    return none;
}

}  // namespace heddle
