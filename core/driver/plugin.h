#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/device_library.h"
#include "core/driver/driver.h"

namespace heddle::detail {

/// What a device's library (libheddle_sim.so, libheddle_cuda.so) offers. The library exports one C function,
/// `heddle_device_plugin`, that returns it.
struct DevicePlugin {
    int abi = 0;               ///< `plugin_abi` of the headers that it was compiled with
    const char* version = "";  ///< of Heddle: must be the loading library's
    /// How many devices can be used; where none, `why` says what is missing and what to do.
    int (*count)(std::string& why) = nullptr;
    /// Of device `index` (below `count`), for `heddle info`.
    std::string (*description)(int index) = nullptr;
    std::unique_ptr<Driver> (*make_driver)(int index) = nullptr;
    /// What its implementations stand on and is opened on demand; null: nothing.
    std::vector<DeviceLibrary> (*libraries)() = nullptr;
    /// Adds the library's implementations to the kernel tables; called once, right after loading, device or not.
    void (*register_kernels)() = nullptr;
};

inline constexpr int plugin_abi = 2;

/// The C function `name` of a library, which is opened for good: what it registers stays. Null, and `why`, where there
/// is none.
void* library_function(const std::string& file, const char* name, std::string& why);

/// Opens the library of a kind of device at the first call. Where that fails, or finds no device, `plugin` is null (or
/// `count` 0) and `why` says why.
struct LoadedPlugin {
    const DevicePlugin* plugin = nullptr;
    int count = 0;
    std::string why = {};
};
const LoadedPlugin& device_plugin(DeviceKind kind);

}  // namespace heddle::detail
