#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "core/driver/driver.h"

namespace heddle::cuda {

/// True for errors after which no CUDA call of the process works any more: something that ran on the device failed.
bool ends_process(cudaError_t error);

/// The names of what was queued last on a device, and the error that ended it. A kernel's failure is reported by
/// whatever CUDA call comes later, so a message says which operations it may have been. Thread-safe; queueing takes no
/// lock.
class ErrorLog {
  public:
    explicit ErrorLog(Device device) : device_(device) {}

    /// `operation` must live as long as the process.
    void queued(StreamId stream, const char* operation) noexcept;
    /// Where `queued` stands now; what stands before has succeeded once the stream has been waited for.
    std::uint64_t position() const { return next_.load(std::memory_order_acquire); }
    void succeeded(StreamId stream, std::uint64_t position);

    /// Throws where an earlier error has ended the device.
    void check() const {
        if (ended_.load(std::memory_order_acquire)) fail_again();
    }
    bool ended() const { return ended_.load(std::memory_order_acquire); }
    /// Throws unless `error` is cudaSuccess. `call` is what failed: "cudaMemcpyAsync", "conv2d_forward".
    void check(cudaError_t error, const char* call) {
        if (error != cudaSuccess) [[unlikely]]
            fail(error, call);
    }
    [[noreturn]] void fail(cudaError_t error, const std::string& call);

  private:
    struct Entry {
        std::atomic<const char*> operation{nullptr};
        std::atomic<StreamId> stream{0};
        std::atomic<std::uint64_t> position{0};
    };

    [[noreturn]] void fail_again() const;
    /// The operations not known to have succeeded, newest last, each once: "the operation was X", or "one of ...".
    std::string suspects() const;

    Device device_;
    std::array<Entry, 64> entries_;
    std::atomic<std::uint64_t> next_{0};
    std::atomic<bool> ended_{false};
    mutable std::mutex mutex_;
    std::vector<std::uint64_t> succeeded_;  // by stream
    std::string ending_;
};

}  // namespace heddle::cuda
