#include "ops/loss.h"

#include <limits>

#include "kernels/loss/loss.h"
#include "ops/autograd/grad_mode.h"
#include "ops/autograd/node.h"
#include "ops/copy.h"
#include "ops/detail/label_range.h"
#include "ops/detail/run.h"
#include "ops/detail/scope.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace heddle::ops {
namespace {

using autograd::Gradients;
using autograd::Saved;
using kernels::PointLoss;

constexpr const char* cross = "cross_entropy";

/// The gradient of a mean and its factor, which kernels take as a float: in f64 it is multiplied in before.
struct ScaledGradient {
    Tensor dloss;
    float scale;

    ScaledGradient(const Tensor& dy, double factor)
        : dloss(dy.dtype() == DType::f64 ? dy * factor : dy),
          scale(dy.dtype() == DType::f64 ? 1.0f : static_cast<float>(factor)) {}
};

void check_label_range(const Tensor& labels, std::int64_t classes, std::int64_t ignore_index) {
    if (labels.device().kind != DeviceKind::cpu) return;  // a check there would make the host wait
    const std::int64_t row = first_outside(labels, classes, ignore_index);
    if (row < 0) return;
    const std::int64_t label = labels.flatten().to_vector<std::int64_t>()[static_cast<std::size_t>(row)];
    require(false, cross, "label {} in row {} is outside 0 .. {}", label, row, classes - 1);
}

/// 1 for each label that is a class, NaN for the others; in `options`' type.
Tensor validity(const Tensor& labels, std::int64_t classes, const TensorOptions& options) {
    const Tensor numbers = labels.to(DType::i64);  // bytes have no number as large as `classes` may be
    const Tensor inside = binary(BinaryOp::logical_and, binary(BinaryOp::greater_equal, numbers, 0.0),
                                 binary(BinaryOp::less, numbers, static_cast<double>(classes)));
    return where(inside, Tensor::scalar(1, options), Tensor::scalar(std::numeric_limits<double>::quiet_NaN(), options));
}

/// -log of the target's probability, where the input holds probabilities: as Keras does it, clipped away from 0.
Tensor from_probabilities(const Tensor& probabilities, const Tensor& labels, const CrossEntropyOptions& options) {
    const std::int64_t classes = probabilities.shape().back();
    require(options.ignore_index == INT64_MIN, cross, "ignore_index needs from_logits = true");
    Tensor target = is_floating(labels.dtype()) ? labels.to(probabilities.dtype())
                                                : one_hot(labels.dtype() == DType::u8 ? labels.to(DType::i32) : labels,
                                                          classes, probabilities.dtype());
    if (options.label_smoothing > 0)
        target = target * (1.0 - options.label_smoothing) + options.label_smoothing / static_cast<double>(classes);
    const Tensor normal = probabilities / sum(probabilities, {-1}, true);
    Tensor loss = sum(-(target * log(clip(normal, 1e-7, 1 - 1e-7))), {-1});
    if (!is_floating(labels.dtype()) && labels.device().kind != DeviceKind::cpu)  // elsewhere it was checked
        loss = loss * validity(labels, classes, loss.options());
    return options.reduction == Reduction::none ? loss : mean(loss);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, CrossEntropyOptions options) {
    require(logits.defined() && logits.rank() >= 1 && is_floating(logits.dtype()) && logits.elements() > 0, cross,
            "expected floating logits [..., classes] of at least one row, got {}", logits);
    require(labels.defined(), cross, "the labels are undefined");
    const bool dense = is_floating(labels.dtype());
    const Shape rows = logits.shape().range(0, logits.rank() - 1);
    require(dense ? labels.shape() == logits.shape() : labels.elements() == rows.elements(), cross,
            "labels of shape {} for logits of shape {}", labels.shape(), logits.shape());
    require(dense || labels.dtype() == DType::i32 || labels.dtype() == DType::i64 || labels.dtype() == DType::u8, cross,
            "labels must be i32, i64 or u8 classes, or a floating distribution, got {}", labels.dtype());
    require(options.label_smoothing >= 0 && options.label_smoothing <= 1, cross, "label smoothing {} is outside 0 .. 1",
            options.label_smoothing);
    if (!dense) check_label_range(labels, logits.shape().back(), options.ignore_index);
    if (!options.from_logits) return from_probabilities(logits, dense ? labels : labels.reshape(rows), options);

    const Tensor target = dense ? labels.detach().to(logits.dtype()) : labels;
    const TensorOptions vectors{wide(logits.dtype()), logits.device()};
    const Tensor loss = Tensor::empty(rows, vectors), log_sum = Tensor::empty(rows, vectors);
    run(kernels::cross_entropy_forward(),
        {.logits = view(logits),
         .labels = view(target),
         .label_smoothing = options.label_smoothing,
         .ignore_index = options.ignore_index,
         .loss = view(loss),
         .log_sum = view(log_sum)},
        {&logits, &target}, {&loss, &log_sum});
    // The mean over the rows that count; `counted` stays undefined where all do.
    const bool each = options.reduction == Reduction::none;
    Tensor y = loss, counted;
    if (!each) {
        const NoGrad no_grad;
        if (options.ignore_index == INT64_MIN || dense) {
            y = mean(loss);
        } else {
            const Tensor counts =
                binary(BinaryOp::not_equal, target.to(DType::i64), static_cast<double>(options.ignore_index))
                    .to(loss.dtype());
            counted = sum(counts);
            y = sum(loss) / counted;
        }
    }
    if (autograd::wants_record({&logits})) {
        const double scale = each || counted.defined() ? 1.0 : 1.0 / static_cast<double>(rows.elements());
        autograd::record(cross, {&logits}, y,
                         [logits = Saved(logits), target = Saved(target), log_sum = Saved(log_sum),
                          counted = Saved(counted), scale, options](Gradients& g) {
                             const Tensor& count = counted.get();
                             const auto [dloss, factor] =
                                 ScaledGradient(count.defined() ? g.dy() / count : g.dy(), scale);
                             Tensor dlogits = Tensor::empty(logits.get().shape(), logits.get().options());
                             run(kernels::cross_entropy_backward(),
                                 {.logits = view(logits.get()),
                                  .labels = view(target.get()),
                                  .label_smoothing = options.label_smoothing,
                                  .ignore_index = options.ignore_index,
                                  .log_sum = view(log_sum.get()),
                                  .dloss = view(dloss.flatten()),
                                  .scale = factor,
                                  .dlogits = view(dlogits)},
                                 {&logits.get(), &target.get(), &log_sum.get(), &dloss}, {&dlogits});
                             g.dx(0) = std::move(dlogits);
                         });
    }
    return y;
}

namespace {

/// d loss / d target times dy * scale; small and rare (a target seldom wants a gradient), so composed.
Tensor target_gradient(PointLoss kind, const Tensor& prediction, const Tensor& dprediction, const Tensor& dy,
                       double scale) {
    switch (kind) {
        case PointLoss::bce_with_logits:
            return -(prediction * dy * scale);
        case PointLoss::bce: {
            const Tensor p = clip(prediction, 1e-7, 1 - 1e-7);
            return (log(1.0 - p) - log(p)) * dy * scale;
        }
        default:
            return -dprediction;
    }
}

Tensor point_loss(const char* operation, PointLoss kind, const Tensor& prediction, const Tensor& target_in,
                  Reduction reduction, float delta = 1) {
    require(prediction.defined() && target_in.defined(), operation, "an operand is undefined");
    require(is_floating(prediction.dtype()), operation, "expected floating predictions, got {}", prediction.dtype());
    require(prediction.shape() == target_in.shape() && prediction.elements() > 0, operation,
            "predictions of shape {} and targets of shape {}", prediction.shape(), target_in.shape());
    const Tensor target = target_in.to(prediction.dtype());
    const Tensor loss = Tensor::empty(prediction.shape(), {wide(prediction.dtype()), prediction.device()});
    run(kernels::point_loss_forward(),
        {.kind = kind, .delta = delta, .prediction = view(prediction), .target = view(target), .loss = view(loss)},
        {&prediction, &target}, {&loss});
    const bool each = reduction == Reduction::none;
    Tensor y = each ? loss : mean(loss);
    if (autograd::wants_record({&prediction, &target})) {
        autograd::record(operation, {&prediction, &target}, y,
                         [kind, delta, each, prediction = Saved(prediction), target = Saved(target)](Gradients& g) {
                             const Tensor& p = prediction.get();
                             Tensor dp = Tensor::empty(p.shape(), p.options());
                             const double scale = each ? 1.0 : 1.0 / static_cast<double>(p.elements());
                             const auto [dloss, factor] = ScaledGradient(g.dy(), scale);
                             run(kernels::point_loss_backward(),
                                 {.kind = kind,
                                  .delta = delta,
                                  .prediction = view(p),
                                  .target = view(target.get()),
                                  .dloss = view(each ? dloss : dloss.reshape(Shape{1})),
                                  .scale = factor,
                                  .dprediction = view(dp)},
                                 {&p, &target.get(), &dloss}, {&dp});
                             if (g.wants(1)) g.dx(1) = target_gradient(kind, p, dp, g.dy(), scale);
                             if (g.wants(0)) g.dx(0) = std::move(dp);
                         });
    }
    return y;
}

}  // namespace

Tensor mean_squared_error(const Tensor& prediction, const Tensor& target, Reduction reduction) {
    return point_loss("mean_squared_error", PointLoss::mse, prediction, target, reduction);
}
Tensor mean_absolute_error(const Tensor& prediction, const Tensor& target, Reduction reduction) {
    return point_loss("mean_absolute_error", PointLoss::mae, prediction, target, reduction);
}
Tensor huber(const Tensor& prediction, const Tensor& target, float delta, Reduction reduction) {
    require(delta > 0, "huber", "delta must be positive, got {}", delta);
    return point_loss("huber", PointLoss::huber, prediction, target, reduction, delta);
}
Tensor binary_cross_entropy(const Tensor& prediction, const Tensor& target, bool from_logits, Reduction reduction) {
    return point_loss("binary_cross_entropy", from_logits ? PointLoss::bce_with_logits : PointLoss::bce, prediction,
                      target, reduction);
}

}  // namespace heddle::ops
