#include "core/driver/driver.h"

#include "core/check.h"

namespace heddle {

Driver::~Driver() = default;

void* Driver::allocate_growable(std::size_t) { return nullptr; }
bool Driver::resize(void*, std::size_t) { return false; }
void Driver::free_growable(void*) { fail("driver: this device has no growable memory"); }

Driver& driver(Device device) {
    if (device.kind == DeviceKind::cpu) {
        static Driver& host = *make_host_driver().release();  // never destroyed: tensors may outlive main
        return host;
    }
    for (const DeviceStatus& status : device_status())
        if (status.kind == device.kind && status.count == 0)
            fail(fmt::format("device {}: {}; use the device cpu", device.to_string(), status.why_missing));
    fail(fmt::format("device {}: there is no driver for it", device.to_string()));
}

}  // namespace heddle
