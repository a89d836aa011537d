#pragma once

#include "core/check.h"
#include "core/random.h"
#include "kernels/random/random.h"

namespace heddle::ops {

/// The stream of the next random operation on `device`. A step that is being captured reads it from the device's
/// memory, in forward and in backward, and moves it on at its end.
inline kernels::RandomState take_random_state(Generator& generator, Device device) {
    DeviceOffset* captured = device.kind == DeviceKind::cpu ? nullptr : DeviceOffset::current();
    if (!captured) return {.seed = generator.seed(), .offset = generator.next()};
    check(&generator == &default_generator(), "a captured step can only draw from the default generator");
    return {.seed = generator.seed(), .offset = captured->next(), .device_offset = captured->base()};
}

}  // namespace heddle::ops
