#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace heddle {

/// Base of objects that count their own references: one allocation, one pointer wide.
class RefCounted {
  public:
    RefCounted() = default;
    RefCounted(const RefCounted&) = delete;
    RefCounted& operator=(const RefCounted&) = delete;
    virtual ~RefCounted() = default;

    std::uint32_t use_count() const { return count_.load(std::memory_order_acquire); }

  private:
    template <class T>
    friend class IntrusivePtr;
    mutable std::atomic<std::uint32_t> count_{0};
};

/// Shared ownership of a `RefCounted`. Thread safety is that of `std::shared_ptr`.
template <class T>
class IntrusivePtr {
  public:
    IntrusivePtr() noexcept = default;
    explicit IntrusivePtr(T* object) noexcept : object_(object) { acquire(); }
    IntrusivePtr(const IntrusivePtr& other) noexcept : object_(other.object_) { acquire(); }
    IntrusivePtr(IntrusivePtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    IntrusivePtr& operator=(IntrusivePtr other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~IntrusivePtr() { release(); }

    T* get() const noexcept { return object_; }
    T* operator->() const noexcept { return object_; }
    T& operator*() const noexcept { return *object_; }
    explicit operator bool() const noexcept { return object_ != nullptr; }
    bool operator==(const IntrusivePtr& other) const noexcept { return object_ == other.object_; }
    void reset() noexcept { IntrusivePtr().swap(*this); }
    void swap(IntrusivePtr& other) noexcept { std::swap(object_, other.object_); }

  private:
    void acquire() noexcept {
        if (object_) object_->count_.fetch_add(1, std::memory_order_relaxed);
    }
    void release() noexcept {
        if (object_ && object_->count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete object_;
    }
    T* object_ = nullptr;
};

template <class T, class... Args>
IntrusivePtr<T> make_intrusive(Args&&... args) {
    return IntrusivePtr<T>(new T(std::forward<Args>(args)...));
}

}  // namespace heddle
