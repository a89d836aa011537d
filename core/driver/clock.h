#pragma once

#include "core/driver/driver.h"

namespace heddle {

/// What drivers of devices that keep time of their own offer beside `Driver`: cuda does; the host's clock serves the
/// host, and the simulator has no time.
class HEDDLE_API DeviceClock {
  public:
    virtual ~DeviceClock();

    /// An event that keeps the device's time when it happens; `Driver` records and destroys it.
    virtual EventId create_timer() = 0;
    /// Between two timers that have happened.
    virtual double seconds_between(EventId from, EventId to) = 0;
};

/// The clock of a device; nullptr where it keeps no time.
HEDDLE_API DeviceClock* device_clock(Device device);

}  // namespace heddle
