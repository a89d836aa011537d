#include "ops/detail/run.h"

#include <vector>

namespace heddle::ops {
namespace {

std::vector<StreamHistory*> histories(std::span<const Tensor* const> tensors) {
    std::vector<StreamHistory*> result;
    for (const Tensor* tensor : tensors)
        if (tensor->defined()) result.push_back(&tensor->impl()->storage->history());
    return result;
}

}  // namespace

Ordered::Ordered(Device device, std::span<const Tensor* const> reads, std::span<const Tensor* const> writes) {
    operation_.emplace(scheduler(device), current_stream(device), histories(reads), histories(writes));
}

}  // namespace heddle::ops
