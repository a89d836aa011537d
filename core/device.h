#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/export.h"

namespace heddle {

enum class DeviceKind : std::uint8_t { cpu, cuda, sim };

/// Where a tensor lives: `cpu`, `cuda:N` or `sim`.
struct HEDDLE_API Device {
    DeviceKind kind = DeviceKind::cpu;
    std::int8_t index = 0;

    static Device cpu() { return {}; }
    /// A GPU where one works, else the CPU.
    static Device best();
    /// "cpu", "cuda", "cuda:1", "sim"; throws `Error` for anything else.
    static Device parse(std::string_view text);

    bool operator==(const Device&) const = default;
    std::string to_string() const;
};

HEDDLE_API std::string_view to_string(DeviceKind kind);

/// What `heddle info` shows of one kind of device.
struct DeviceStatus {
    DeviceKind kind = DeviceKind::cpu;
    int count = 0;                 ///< devices that can be used
    std::string description = {};  ///< model, threads, memory
    std::string why_missing = {};  ///< empty where count > 0
};

/// One entry per kind, in the order cpu, cuda, sim. Opens the devices' libraries, where they are.
HEDDLE_API std::vector<DeviceStatus> device_status();

}  // namespace heddle
