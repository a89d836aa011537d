#include "train/detail/label_check.h"

#include <utility>

#include "core/check.h"
#include "ops/autograd/grad_mode.h"
#include "ops/detail/label_range.h"
#include "ops/mask.h"

namespace heddle::detail {
namespace {

/// Whether the loss takes a target [1, ...] of this label alone for an output [1, ...]: it may ignore a label.
bool accepts(const Loss& loss, const Shape& output, const Tensor& targets, std::int64_t label) {
    try {
        loss(Tensor::ones(output),
             Tensor::full(targets.shape().with(0, 1), static_cast<double>(label), targets.options()));
        return true;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

bool may_be_labels(const Tensor& targets) {
    return targets.defined() &&
           (targets.dtype() == DType::i32 || targets.dtype() == DType::i64 || targets.dtype() == DType::u8);
}

void LabelCheck::take(const Loss& loss, const StepBatch& batch) {
    if (device_.kind == DeviceKind::cpu || loss.targets() != Loss::Targets::classes) return;
    if (batch.resident && batch.resident == passed_) return;
    pending_ = batch.targets;
    resident_ = batch.resident;
    if (known_) check_pending(loss);
}

void LabelCheck::see(const Loss& loss, const Tensor& prediction) {
    if (!pending_.defined() || prediction.rank() < 2) return;
    output_ = prediction.shape().with(0, 1);
    masked_ = ops::mask_of(prediction).defined();
    known_ = true;
    check_pending(loss);
}

void LabelCheck::check_pending(const Loss& loss) {
    const NoGrad no_grad;
    const Tensor targets = std::exchange(pending_, Tensor());
    passed_ = resident_;  // or the error below ends the training
    if (!may_be_labels(targets) || targets.size(0) == 0 || masked_) return;
    const std::int64_t classes = output_.back(), each = targets.elements() / targets.size(0);
    // Another label than the first that is outside may be the one that the loss ignores, so there are two searches.
    std::int64_t ignored = kernels::no_ignored_label;
    for (int search = 0; search < 2; ++search) {
        const std::int64_t place = ops::first_outside(targets, classes, ignored);
        if (place < 0) return;
        const auto label = static_cast<std::int64_t>(targets.flatten().slice(place, place + 1).item());
        // Targets that do not go with the output at all are the loss' matter.
        check(accepts(loss, output_, targets, label) || !accepts(loss, output_, targets, 0),
              "{}: label {} of example {}{} is none of the model's classes, 0 to {}", who_, label, place / each,
              resident_ ? "" : " of a batch", classes - 1);
        ignored = label;
    }
}

}  // namespace heddle::detail
