#include "train/detail/metric_inputs.h"

#include "core/check.h"
#include "ops/copy.h"
#include "ops/mask.h"

namespace heddle::detail {
namespace {

/// What holds of the first dimensions, for each of `count` rows or elements: f32 [count].
Tensor spread(const Tensor& some, std::int64_t count) {
    const std::int64_t steps = some.elements();
    check(steps > 0 && count % steps == 0, "a metric of {} values cannot weigh them by {}", count, some);
    return ops::broadcast_to(some.to(DType::f32).reshape(Shape{steps, 1}), Shape{steps, count / steps}).flatten();
}

}  // namespace

Tensor counted_of(const Tensor& prediction, std::int64_t count) {
    const Tensor mask = ops::mask_of(prediction), weight = ops::weight_of(prediction);
    if (!weight.defined()) return mask.defined() ? spread(mask, count) : Tensor();
    return mask.defined() ? spread(mask, count) * spread(weight, count) : spread(weight, count);
}

void fail_shapes(const char* metric, const Tensor& prediction, const Tensor& target) {
    fail(fmt::format("{}: the model gives {}, the targets are {}: they do not go together", metric,
                     prediction.shape().to_string(), target.shape().to_string()));
}

}  // namespace heddle::detail
