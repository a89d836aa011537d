#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/check.h"

namespace heddle::cuda {

/// Small integers for CUDA's handles. Looking one up takes no lock: it happens at every launch. A removed number is
/// given out again. Thread-safe.
template <class Handle>
class HandleTable {
  public:
    /// `name` is for messages: "stream".
    explicit HandleTable(const char* name) : name_(name) {}
    ~HandleTable() {
        for (auto& chunk : chunks_) delete chunk.load();
    }
    HandleTable(const HandleTable&) = delete;
    HandleTable& operator=(const HandleTable&) = delete;

    std::uint32_t add(Handle handle) {
        const std::lock_guard lock(mutex_);
        std::uint32_t id = used_;
        if (!free_.empty()) {
            id = free_.back();
            free_.pop_back();
        } else {
            check(id < chunk_size * chunks_.size(), "cuda: more than {} {}s at a time", id, name_);
            ++used_;
        }
        auto& chunk = chunks_[id / chunk_size];
        if (!chunk.load(std::memory_order_relaxed)) chunk.store(new Chunk{}, std::memory_order_release);
        auto& slot = (*chunk.load(std::memory_order_relaxed))[id % chunk_size];
        slot.handle.store(handle, std::memory_order_relaxed);
        slot.known.store(true, std::memory_order_release);
        return id;
    }

    Handle at(std::uint32_t id) const {
        const Slot* slot = find(id);
        check(slot && slot->known.load(std::memory_order_acquire), "cuda: there is no {} {}", name_, id);
        return slot->handle.load(std::memory_order_relaxed);
    }

    Handle remove(std::uint32_t id) {
        const std::lock_guard lock(mutex_);
        const Handle handle = at(id);
        const_cast<Slot*>(find(id))->known = false;
        free_.push_back(id);
        return handle;
    }

    /// The number of a handle that is known already, or -1.
    std::int64_t find(Handle handle) const {
        const std::lock_guard lock(mutex_);
        for (std::uint32_t id = 0; id < used_; ++id)
            if (const Slot* slot = find(id); slot->known && slot->handle == handle) return id;
        return -1;
    }

  private:
    struct Slot {
        std::atomic<Handle> handle{};
        std::atomic<bool> known{false};
    };
    static constexpr std::uint32_t chunk_size = 256;
    using Chunk = std::array<Slot, chunk_size>;

    const Slot* find(std::uint32_t id) const {
        if (id >= chunk_size * chunks_.size()) return nullptr;
        const Chunk* chunk = chunks_[id / chunk_size].load(std::memory_order_acquire);
        return chunk ? &(*chunk)[id % chunk_size] : nullptr;
    }

    const char* name_;
    mutable std::mutex mutex_;
    std::uint32_t used_ = 0;
    std::vector<std::uint32_t> free_;
    std::array<std::atomic<Chunk*>, 256> chunks_{};
};

}  // namespace heddle::cuda
