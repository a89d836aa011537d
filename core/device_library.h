#pragma once

#include <string>
#include <vector>

#include "core/export.h"

namespace heddle {

/// A library that a device's implementations stand on, opened on demand: cuBLASLt, say.
struct DeviceLibrary {
    std::string name = {};
    std::string compiled = {};     ///< the version of the headers
    std::string loaded = {};       ///< the version of the library; empty where it was not opened
    std::string file = {};         ///< where it was loaded from; likewise
    std::string why_missing = {};  ///< empty where its implementations can run
};

/// Those of all devices that this build knows. Opens them where there is such a device.
HEDDLE_API std::vector<DeviceLibrary> device_libraries();

}  // namespace heddle
