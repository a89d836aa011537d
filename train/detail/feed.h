#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/stream.h"
#include "data/loader.h"

namespace heddle::detail {

/// The batches of a loader on a device: while a step runs, the next two batches are copied from pinned memory on a
/// separate stream. On the CPU it passes the loader's batches on.
class DeviceFeed {
  public:
    DeviceFeed(DataLoader& loader, Device device);
    ~DeviceFeed();
    DeviceFeed(const DeviceFeed&) = delete;
    DeviceFeed& operator=(const DeviceFeed&) = delete;

    /// As DataLoader's. The tensors of a batch are written again three batches later.
    void start(std::uint64_t epoch, std::int64_t first_step);
    bool next(Batch& batch);
    /// The targets of the last batch on the host, where it was sent to a device.
    const Tensor& targets() const { return targets_; }

  private:
    static constexpr std::size_t slots = 3;  // the one in use and two ahead

    /// A batch on its way: pinned copies of the host's tensors, and the device's.
    struct Slot {
        std::vector<std::pair<void*, std::size_t>> pinned = {};
        Batch batch = {};
        Tensor targets = {};  // on the host
        EventId copied = 0;
        bool used = false;
    };

    void fetch();
    Tensor send(Slot& slot, std::size_t index, const Tensor& host, const Tensor& known);

    DataLoader& loader_;
    Device device_;
    StreamId stream_ = 0;
    std::array<Slot, slots> ring_;
    std::size_t first_ = 0, under_way_ = 0;  // of the ring: the batch that comes next, and how many are sent
    bool ended_ = false;
    Batch host_;
    Tensor targets_;
};

}  // namespace heddle::detail
