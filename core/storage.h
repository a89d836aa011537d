#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "core/allocator.h"
#include "core/device.h"
#include "core/export.h"
#include "core/intrusive_ptr.h"
#include "core/stream.h"

namespace heddle {

/// A block of device memory that tensors share. Its version counts in-place changes, so that autograd can tell when a
/// saved tensor has been changed.
class HEDDLE_API Storage final : public RefCounted {
  public:
    /// Uninitialised memory from the device's allocator (or the private one in force), on the current stream.
    Storage(std::size_t bytes, Device device);
    /// Memory that somebody else owns; `release` (may be empty) runs when the last tensor lets go.
    Storage(void* memory, std::size_t bytes, Device device, std::function<void()> release);
    ~Storage() override;

    void* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }
    Device device() const { return device_; }

    std::uint32_t version() const { return version_.load(std::memory_order_relaxed); }
    void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

    StreamHistory& history() { return history_; }

  private:
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
    Device device_;
    StreamId stream_ = 0;
    std::shared_ptr<Allocator> private_;  // where the memory is from, unless it is the device's allocator
    bool owned_ = true;
    std::atomic<std::uint32_t> version_{0};
    StreamHistory history_;
    std::function<void()> release_;
};

}  // namespace heddle
