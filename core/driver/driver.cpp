#include "core/driver/driver.h"

#include <atomic>
#include <mutex>

#include "core/check.h"
#include "core/detail/per_device.h"
#include "core/driver/plugin.h"

namespace heddle {

Driver::~Driver() = default;

void* Driver::allocate_growable(std::size_t) { return nullptr; }
bool Driver::resize(void*, std::size_t) { return false; }
void Driver::free_growable(void*) { fail("driver: this device has no growable memory"); }

StreamId Driver::lend_stream(void*) { fail(fmt::format("lend_stream: {} has no streams of others", device())); }
void* Driver::native_stream(StreamId) { fail(fmt::format("native_stream: {} has no streams of others", device())); }

namespace {

Driver& make_driver(std::atomic<Driver*>& place, Device device) {
    const detail::LoadedPlugin& loaded = detail::device_plugin(device.kind);
    if (loaded.count == 0) fail(fmt::format("device {}: {}; use the device cpu", device, loaded.why));
    check(device.index < loaded.count, "device {}: there are only {} such devices", device, loaded.count);
    static std::mutex& mutex = *new std::mutex;
    const std::lock_guard lock(mutex);
    if (!place)
        place = loaded.plugin->make_driver(device.index).release();  // never destroyed: tensors may outlive main
    return *place;
}

constinit detail::PerDevice<std::atomic<Driver*>> drivers = {};

}  // namespace

Driver& driver(Device device) {
    if (device.kind == DeviceKind::cpu) {
        check(device.index == 0, "device cpu: there is only one, not one of index {}", static_cast<int>(device.index));
        static Driver& host = *make_host_driver().release();  // never destroyed: tensors may outlive main
        return host;
    }
    auto& place = drivers[device];
    Driver* known = place.load(std::memory_order_acquire);
    return known ? *known : make_driver(place, device);
}

}  // namespace heddle
