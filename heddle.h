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
#include "data/dataset.h"
#include "data/files/bytes.h"
#include "data/files/cifar.h"
#include "data/files/csv.h"
#include "data/files/idx.h"
#include "data/files/npy.h"
#include "data/files/safetensors.h"
#include "data/loader.h"
#include "data/picture.h"
#include "data/plot.h"
#include "data/preprocessing.h"
#include "data/sources.h"
#include "layers/containers.h"
#include "layers/layer.h"
#include "layers/symbol.h"
#include "ops/autograd/grad_mode.h"
#include "ops/autograd/node.h"
#include "ops/loss.h"
