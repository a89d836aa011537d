#include "train/detail/evaluation.h"

#include "ops/autograd/grad_mode.h"
#include "ops/mask.h"
#include "train/detail/state.h"
#include "train/detail/step.h"

namespace heddle::detail {

Evaluation::Evaluation(const Model& model, const Dataset& data, const LoaderOptions& options,
                       const EvaluationPlan& plan)
    : model_(model),
      device_(device_of(model)),
      augmentation_(plan.augmentation),
      source_(data, options, device_, compute_dtype(precision_of(model)), plan.resident_bytes),
      recorder_(device_, plan.capture && metrics_stay(model), "evaluation of a batch"),
      label_check_("evaluation", device_) {}

Result Evaluation::run() {
    const NoGrad no_grad;
    const NamedTensors tensors = all_tensors(model_);
    loss_.reset();
    for (const Metric& metric : model_.metrics()) metric.reset();
    source_.start(0);
    for (StepBatch batch; source_.next(batch);) {
        label_check_.take(model_.loss(), batch);
        if (recorder_.run(recording_, batch, tensors, {}, [this](const Batch& its) { queue(its); })) ++replayed_;
    }
    Result result = gathered(model_, loss_);
    if (const Tensor added = penalty(model_, unique_parameters(model_)); added.defined())
        result.set("loss", result.at("loss") + added.item());
    return result;
}

void Evaluation::queue(const Batch& batch) {
    const Tensor target = batch.target.to(device_);
    const Tensor prediction = averaged_output(model_, prepared_inputs(model_, batch.inputs, device_), augmentation_);
    label_check_.see(model_.loss(), prediction);
    ops::set_weight(prediction, batch.weight.defined() ? batch.weight.to(device_) : Tensor());
    loss_.add_mean(model_.loss()(prediction, target), static_cast<double>(batch.size()));
    update_metrics(model_, prediction, target);
}

}  // namespace heddle::detail
