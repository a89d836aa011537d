#pragma once

#include <vector>

#include "core/device.h"

/// For tests that run on every device but the CPU: `INSTANTIATE_TEST_SUITE_P(Devices, T, ValuesIn(other_devices()),
/// device_name)`. What this machine lacks is not in the list; tests/kernels prints what that leaves out, in numbers.
namespace heddle {

inline std::vector<Device> other_devices() {
    std::vector<Device> devices;
    for (const DeviceStatus& status : device_status())
        if (status.kind != DeviceKind::cpu && status.count > 0) devices.push_back({status.kind});
    return devices;
}

template <class Info>
std::string device_name(const Info& info) {
    return std::string(to_string(info.param.kind));
}

}  // namespace heddle
