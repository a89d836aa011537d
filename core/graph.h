#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "core/device.h"
#include "core/export.h"

namespace heddle {

/// Device work that was recorded once and is queued again with one call (a CUDA graph): the host's time for a step
/// shrinks to that of the call. A default Graph is empty.
///
/// What stays fixed: every address, shape and number that the host passed to a kernel. So inputs are copied into
/// tensors made before the capture, and what changes from step to step is read from device memory.
class HEDDLE_API Graph {
  public:
    Graph() = default;

    /// Records what `work` queues on `device`; nothing of it runs. `work` must not wait for the device, nor read from
    /// it. Tensors made inside live in memory of the graph's own, taken from the device's allocator, which nothing else
    /// uses while the graph or one of them lives; those that outlive `work` hold their values after each replay. All
    /// streams are finished before and joined behind. Throws `Error` where the device cannot capture, and as `work`.
    static Graph capture(Device device, const std::function<void()>& work);
    static bool can_capture(Device device);

    explicit operator bool() const { return state_ != nullptr; }
    /// Queues the recorded work on the current stream. Other streams see its results after a `join`.
    void replay() const;
    /// Bytes of its own memory; the device's allocator counts them as allocated.
    std::size_t reserved_bytes() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace heddle
