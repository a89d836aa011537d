#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <type_traits>

#include "core/check.h"
#include "core/parallel.h"
#include "core/profile.h"
#include "core/stream.h"
#include "core/tensor.h"
#include "kernels/table.h"
#include "kernels/view.h"
#include "ops/detail/scope.h"

// Private to ops/ and train/: how a checked operation reaches a kernel.
namespace heddle::ops {

inline View view(const Tensor& tensor) {
    return tensor.defined() ? View(tensor.raw(), tensor.shape(), tensor.dtype()) : View();
}

/// While it lives, the operation being queued on the current stream is ordered behind the earlier users of the tensors.
class Ordered {
  public:
    Ordered(Device device, std::span<const Tensor* const> reads, std::span<const Tensor* const> writes);

  private:
    std::optional<StreamOperation> operation_;
};

/// Runs an operation on the device of its first output, on the current stream. Throws `Error` where an operand lies
/// elsewhere: kernels read what they are given.
template <class Args>
void run(KernelTable<Args>& table, const std::type_identity_t<Args>& args, std::span<const Tensor* const> reads,
         std::span<const Tensor* const> writes) {
    const ProfileRange range(table.operation());
    const Device device = writes.front()->device();
    for (const auto& list : {reads, writes})
        for (const Tensor* tensor : list)
            if (tensor->defined())
                require(tensor->device() == device, table.operation(), "operands on {} and {}; move one with to()",
                        device, tensor->device());
    if (device.kind == DeviceKind::cpu) {
        const FlushDenormals flush;
        run_implementation(table.choose(args, device), args, device, 0);
        return;
    }
    const Ordered ordered(device, reads, writes);
    run_implementation(table.choose(args, device), args, device, current_stream(device));
}

template <class Args>
void run(KernelTable<Args>& table, const std::type_identity_t<Args>& args, std::initializer_list<const Tensor*> reads,
         std::initializer_list<const Tensor*> writes) {
    run(table, args, std::span<const Tensor* const>(reads.begin(), reads.size()),
        std::span<const Tensor* const>(writes.begin(), writes.size()));
}

}  // namespace heddle::ops
