#include "train/detail/class_weights.h"

#include <cmath>
#include <vector>

#include "core/check.h"
#include "ops/autograd/grad_mode.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace heddle::detail {
namespace {

bool one_output(const Tensor& prediction) { return prediction.rank() < 2 || prediction.shape().back() == 1; }

/// How many classes a model tells apart by one output, or by the last axis.
std::int64_t classes_of(const Tensor& prediction) { return one_output(prediction) ? 2 : prediction.shape().back(); }

}  // namespace

ClassWeights::ClassWeights(const ClassWeight& weights, Device device) {
    if (weights.empty()) return;
    std::vector<float> table;
    for (const auto& [label, weight] : weights) {
        check(std::isfinite(weight) && weight >= 0, "class_weight: expected a weight of 0 or more for class {}, got {}",
              label, weight);
        check(label >= 0, "class_weight: there is no class {}: they are numbered from 0", label);
        check(label == static_cast<std::int64_t>(table.size()),
              "class_weight: class {} has no weight: each class from 0 to {} needs one", table.size(),
              weights.rbegin()->first);
        table.push_back(static_cast<float>(weight));
    }
    table_ = Tensor::from(table, Shape{static_cast<std::int64_t>(table.size())}, device);
}

Tensor ClassWeights::labels(const Loss& loss, const Tensor& prediction, const Tensor& target) const {
    const bool single = one_output(prediction);
    if (single && loss.targets() != Loss::Targets::numbers && target.elements() == prediction.elements()) {
        const Shape rows = prediction.rank() > 1 ? prediction.shape().without(-1) : prediction.shape();
        const Tensor side = is_floating(target.dtype()) ? ops::round(target.to(DType::f32)) : target;
        return side.to(DType::i64).reshape(rows);
    }
    const bool classes = !single && (loss.targets() == Loss::Targets::classes || loss.targets() == Loss::Targets::any);
    if (classes && target.shape() == prediction.shape()) return ops::argmax(target);
    const Shape rows = prediction.rank() > 0 ? prediction.shape().without(-1) : Shape();
    check(classes && !is_floating(target.dtype()) && target.elements() == rows.elements(),
          "class_weight: the loss \"{}\" of an output {} and targets {} has no class for each example: give "
          "sample_weight",
          loss.name(), prediction.shape(), target);
    return target.to(DType::i64).reshape(rows);
}

Tensor ClassWeights::of(const Loss& loss, const Tensor& prediction, const Tensor& target) const {
    const NoGrad no_grad;
    const Tensor label = labels(loss, prediction, target);
    const std::int64_t classes = classes_of(prediction), known = table_.elements();
    check(known >= classes, "class_weight: class {} has no weight: the model tells {} classes apart, 0 to {}", known,
          classes, classes - 1);
    check(known <= classes, "class_weight: there is no class {}: the model tells {} classes apart, 0 to {}", known - 1,
          classes, classes - 1);
    const Tensor inside = ops::minimum(ops::maximum(label, 0.0), static_cast<double>(classes - 1));
    return ops::gather(table_, inside);
}

}  // namespace heddle::detail
