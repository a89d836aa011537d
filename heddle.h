#pragma once

/// \file
/// Everything a user of Heddle needs: `#include <heddle/heddle.h>`. Kernel tables (`heddle/kernels/...`) and the
/// machine below tensors (allocator, streams, drivers) have headers of their own.

#include "core/config.h"
#include "core/device.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/profile.h"
#include "core/random.h"
#include "core/shape.h"
#include "core/tensor.h"
