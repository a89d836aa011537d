#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/check.h"
#include "core/shape.h"

// What is costly to make and can be used again: primitives, algorithms that a library chose.
namespace heddle::kernels {

/// What a made thing depends on: append everything that its making reads.
class PlanKey {
  public:
    PlanKey& operator<<(std::int64_t value) {
        check(count_ < values_.size(), "a key of a plan holds at most {} numbers", values_.size());
        values_[count_++] = value;
        return *this;
    }
    PlanKey& operator<<(const Shape& shape) {
        *this << shape.rank();
        for (const std::int64_t extent : shape) *this << extent;
        return *this;
    }
    template <std::size_t N>
    PlanKey& operator<<(const std::array<std::int64_t, N>& values) {
        for (const std::int64_t value : values) *this << value;
        return *this;
    }
    bool operator==(const PlanKey& other) const {
        return count_ == other.count_ && std::equal(values_.begin(), values_.begin() + count_, other.values_.begin());
    }
    std::size_t hash() const {
        std::uint64_t hash = 0x9E3779B97F4A7C15u;
        for (std::size_t i = 0; i < count_; ++i) {
            hash = (hash ^ static_cast<std::uint64_t>(values_[i])) * 0xD6E8FEB86659FD93u;
            hash ^= hash >> 32;
        }
        return hash;
    }

  private:
    std::array<std::int64_t, 40> values_;
    std::size_t count_ = 0;
};

/// Made things by key, shared by all threads. A full cache is emptied; what is in use lives on.
template <class Plan>
class PlanCache {
  public:
    /// `make()` returns a Plan; one thread makes at a time.
    template <class Make>
    std::shared_ptr<const Plan> find_or_make(const PlanKey& key, const Make& make) {
        const std::lock_guard lock(mutex_);
        if (const auto found = plans_.find(key); found != plans_.end()) return found->second;
        auto plan = std::make_shared<const Plan>(make());
        if (plans_.size() >= capacity) plans_.clear();
        plans_.emplace(key, plan);
        return plan;
    }

  private:
    static constexpr std::size_t capacity = 1024;  // as many as oneDNN's own cache holds
    struct Hash {
        std::size_t operator()(const PlanKey& key) const { return key.hash(); }
    };
    std::mutex mutex_;
    std::unordered_map<PlanKey, std::shared_ptr<const Plan>, Hash> plans_;
};

}  // namespace heddle::kernels
