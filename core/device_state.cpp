#include <atomic>
#include <mutex>

#include "core/allocator.h"
#include "core/detail/per_device.h"
#include "core/stream.h"

// One scheduler and one allocator a device, made at first use and never destroyed: tensors may outlive main.
namespace heddle {
namespace {

struct DeviceState {
    StreamScheduler scheduler;
    Allocator allocator;

    // A device that has finished when a call returns needs no order.
    explicit DeviceState(Driver& driver)
        : scheduler(driver), allocator(driver, driver.asynchronous() ? &scheduler : nullptr) {}
};

constinit detail::PerDevice<std::atomic<DeviceState*>> states = {};

DeviceState& make_state(std::atomic<DeviceState*>& place, Device device) {
    static std::mutex& mutex = *new std::mutex;
    const std::lock_guard lock(mutex);
    if (!place) place = new DeviceState(driver(device));
    return *place;
}

DeviceState& state(Device device) {
    auto& place = states[device];
    DeviceState* known = place.load(std::memory_order_acquire);
    return known ? *known : make_state(place, device);
}

}  // namespace

Allocator& allocator(Device device) { return state(device).allocator; }

StreamScheduler& scheduler(Device device) { return state(device).scheduler; }

}  // namespace heddle
