#include "core/driver/driver.h"

#include "core/check.h"

namespace heddle {

Driver::~Driver() = default;

Driver& driver(Device device) {
    if (device.kind == DeviceKind::cpu) {
        static Driver& host = *make_host_driver().release();  // never destroyed: tensors may outlive main
        return host;
    }
    fail(fmt::format("device {}: this version of Heddle has no driver for it; use --device cpu", device.to_string()));
}

}  // namespace heddle
