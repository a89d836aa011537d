#include "core/driver/clock.h"

namespace heddle {

DeviceClock::~DeviceClock() = default;

DeviceClock* device_clock(Device device) { return dynamic_cast<DeviceClock*>(&driver(device)); }

}  // namespace heddle
