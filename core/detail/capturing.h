#pragma once

#include "core/device.h"

namespace heddle::detail {

/// Whether this thread is capturing work of `device`. Then everything that was queued before is done, what is queued
/// now runs in replays only, and the thread must not wait for the device.
bool capturing(Device device);

}  // namespace heddle::detail
