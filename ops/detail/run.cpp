#include "ops/detail/run.h"

#include <vector>

namespace heddle::ops {
namespace {

// Only those of the device's own tensors: streams and tickets of one scheduler say nothing to another.
std::vector<StreamHistory*> histories(Device device, std::span<const Tensor* const> tensors) {
    std::vector<StreamHistory*> result;
    for (const Tensor* tensor : tensors)
        if (tensor->defined() && tensor->device() == device) result.push_back(&tensor->impl()->storage->history());
    return result;
}

}  // namespace

Ordered::Ordered(Device device, std::span<const Tensor* const> reads, std::span<const Tensor* const> writes) {
    operation_.emplace(scheduler(device), current_stream(device), histories(device, reads), histories(device, writes));
}

}  // namespace heddle::ops
