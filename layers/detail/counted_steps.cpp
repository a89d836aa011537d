#include "layers/detail/counted_steps.h"

#include "ops/copy.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace heddle::detail {
namespace {

/// Whether all steps that count come before those that do not.
bool in_front_already(const Tensor& mask) {
    const bool* counts = mask.data<bool>();
    const std::int64_t time = mask.size(1);
    for (std::int64_t row = 0; row < mask.size(0); ++row, counts += time)
        for (std::int64_t t = 1; t < time; ++t)
            if (counts[t] && !counts[t - 1]) return false;
    return true;
}

/// Indices of each row's elements in descending order; equal ones keep their order.
Tensor sorted(const Tensor& keys) { return ops::topk(keys, keys.shape().back()).second; }

}  // namespace

CountedSteps::CountedSteps(const Tensor& mask) {
    ops::require(mask.rank() == 2, "mask", "expected a mask [batch, time] of sequences, got {}", mask.shape());
    lengths_ = ops::sum(mask, {1}).to(DType::i32);
    if (mask.device().kind == DeviceKind::cpu && in_front_already(mask)) return;
    const std::int64_t batch = mask.size(0), time = mask.size(1);
    // Computed on the mask's device, so that it can be captured. f32 keys are exact up to 2^24 steps.
    const Tensor order = sorted(mask.to(DType::f32)), places = sorted(-order.to(DType::f32));
    const Tensor first = sorted(Tensor::zeros(Shape{batch}, {DType::f32, mask.device()})) * static_cast<double>(time);
    const Tensor offsets = first.reshape(Shape{batch, 1});
    order_ = (order + offsets).flatten();
    places_ = (places + offsets).flatten();
}

Tensor CountedSteps::moved(const Tensor& x, const Tensor& rows) {
    if (!rows.defined()) return x;
    return ops::gather(x.reshape(Shape{x.size(0) * x.size(1), x.size(2)}), rows).reshape(x.shape());
}

}  // namespace heddle::detail
