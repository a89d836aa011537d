#pragma once

#include "core/device.h"

namespace heddle::detail {

/// Whether this thread is capturing work of `device`. Then everything that was queued before is done, what is queued
/// now on the scheduler's own streams runs in replays only, and the thread must not wait for the device. (A stream that
/// is lent takes no part in the captures of others: a thread that captures must queue nothing on it.)
bool capturing(Device device);

}  // namespace heddle::detail
