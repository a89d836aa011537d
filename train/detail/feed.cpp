#include "train/detail/feed.h"

#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "core/check.h"
#include "ops/detail/run.h"
#include "train/detail/label_check.h"

namespace heddle::detail {
namespace {

/// Streams of former feeds, for reuse: a scheduler's stream is never destroyed, and each one takes part in every
/// capture.
class SpareStreams {
  public:
    StreamId take(Device device) {
        const std::lock_guard lock(mutex_);
        std::vector<StreamId>& spare = streams_[{device.kind, device.index}];
        if (spare.empty()) return scheduler(device).create();
        const StreamId stream = spare.back();
        spare.pop_back();
        return stream;
    }
    void give_back(Device device, StreamId stream) {
        const std::lock_guard lock(mutex_);
        streams_[{device.kind, device.index}].push_back(stream);
    }

    static SpareStreams& instance() {
        static SpareStreams& all = *new SpareStreams;
        return all;
    }

  private:
    std::mutex mutex_;
    std::map<std::pair<DeviceKind, int>, std::vector<StreamId>> streams_;
};

}  // namespace

DeviceFeed::DeviceFeed(DataLoader& loader, Device device) : loader_(loader), device_(device) {
    if (device.kind == DeviceKind::cpu) return;
    stream_ = SpareStreams::instance().take(device);
    for (Slot& slot : ring_) slot.copied = driver(device).create_event();
}

DeviceFeed::~DeviceFeed() {
    if (device_.kind == DeviceKind::cpu) return;
    try {
        scheduler(device_).synchronize(stream_);  // which lets a capture of another thread pass
    } catch (const Error&) {                      // whoever waits next for the device hears of it
    }
    for (Slot& slot : ring_) {
        driver(device_).destroy_event(slot.copied);
        for (const auto& [memory, bytes] : slot.pinned) driver(device_).free_pinned(memory);
    }
    SpareStreams::instance().give_back(device_, stream_);
}

void DeviceFeed::start(std::uint64_t epoch, std::int64_t first_step) {
    loader_.start(epoch, first_step);
    under_way_ = 0;
    ended_ = false;
}

bool DeviceFeed::next(Batch& batch) {
    if (device_.kind == DeviceKind::cpu) return loader_.next(batch);
    while (under_way_ < slots - 1 && !ended_) fetch();
    if (under_way_ == 0) return false;
    batch = ring_[first_].batch;
    targets_ = std::exchange(ring_[first_].targets, Tensor());
    first_ = (first_ + 1) % slots;
    --under_way_;
    return true;
}

void DeviceFeed::fetch() {
    if (!loader_.next(host_)) {
        ended_ = true;
        return;
    }
    Slot& slot = ring_[(first_ + under_way_) % slots];
    const StreamOperation operation(scheduler(device_), stream_, {}, {});  // no capture begins in between
    // The slot's last copy was three batches ago, so it has usually left the pinned memory.
    if (slot.used && !driver(device_).query(slot.copied)) driver(device_).synchronize(stream_);
    const StreamGuard guard(device_, stream_);
    slot.batch.inputs.resize(host_.inputs.size());
    for (std::size_t i = 0; i < host_.inputs.size(); ++i)
        slot.batch.inputs[i] = send(slot, i, host_.inputs[i], slot.batch.inputs[i]);
    slot.batch.target = send(slot, host_.inputs.size(), host_.target, slot.batch.target);
    slot.targets = may_be_labels(host_.target) ? host_.target : Tensor();
    if (host_.weight.defined())
        slot.batch.weight = send(slot, host_.inputs.size() + 1, host_.weight, slot.batch.weight);
    driver(device_).record(slot.copied, stream_);
    slot.used = true;
    ++under_way_;
}

Tensor DeviceFeed::send(Slot& slot, std::size_t index, const Tensor& host, const Tensor& known) {
    if (slot.pinned.size() <= index) slot.pinned.resize(index + 1);
    auto& [memory, bytes] = slot.pinned[index];
    if (bytes < host.bytes()) {
        if (memory) driver(device_).free_pinned(memory);
        memory = driver(device_).allocate_pinned(host.bytes());
        check(memory != nullptr, "fit: no {} bytes of pinned memory for a batch", host.bytes());
        bytes = host.bytes();
    }
    std::memcpy(memory, host.raw(), host.bytes());
    const bool same = known.defined() && known.shape() == host.shape() && known.dtype() == host.dtype();
    const Tensor tensor = same ? known : Tensor::empty(host.shape(), {host.dtype(), device_});
    const Tensor* written = &tensor;
    const ops::Ordered ordered(device_, {}, std::span(&written, 1));
    driver(device_).copy(tensor.raw(), memory, host.bytes(), CopyKind::host_to_device, stream_);
    return tensor;
}

}  // namespace heddle::detail
