#include "train/detail/step.h"

#include <algorithm>

#include "kernels/elementwise/elementwise.h"
#include "layers/detail/compute_type.h"
#include "ops/detail/run.h"
#include "ops/mask.h"
#include "train/detail/state.h"

namespace heddle::detail {
namespace {

/// a * b of the same first dimensions; the result has the longer shape of the two.
Tensor product(Tensor a, Tensor b) {
    if (a.rank() < b.rank()) std::swap(a, b);
    Shape shape = b.shape();
    while (shape.rank() < a.rank()) shape.push_back(1);
    return a * b.reshape(shape);
}

}  // namespace

std::vector<Tensor> prepared_inputs(const Model& model, const std::vector<Tensor>& inputs, Device device) {
    const DType dtype = compute_dtype(precision_of(model));
    std::vector<Tensor> result;
    result.reserve(inputs.size());
    for (const Tensor& input : inputs) {
        const Tensor moved = input.to(device);
        result.push_back(moved.dtype() == DType::f32 ? moved.to(dtype) : moved);
    }
    return result;
}

Tensor first_output(const Model& model, const std::vector<Tensor>& inputs, bool training) {
    const ComputeType precision(compute_dtype(precision_of(model)));
    const Tensor output = model(inputs, training).front();
    const Tensor result = output.to(wide(output.dtype()));
    ops::set_mask(result, ops::mask_of(output));
    return result;
}

bool metrics_stay(const Model& model) {
    return std::all_of(model.metrics().begin(), model.metrics().end(),
                       [](const Metric& metric) { return metric.on_device(); });
}

void update_metrics(const Model& model, const Tensor& prediction, const Tensor& target) {
    const Tensor plain = prediction.detach();
    ops::set_mask(plain, ops::mask_of(prediction));
    const std::size_t unweighted = model.compiled().metrics.size();
    for (std::size_t i = 0; i < model.metrics().size(); ++i)
        model.metrics()[i].update(i < unweighted ? plain : prediction, target);
}

TrainSteps::TrainSteps(const Model& model, NamedTensors parameters, GatheredMean& loss, bool capture,
                       const ClassWeight& class_weight)
    : model_(model),
      parameters_(std::move(parameters)),
      loss_(loss),
      device_(parameters_.empty() ? Device() : parameters_.front().second.device()),
      class_weights_(class_weight, device_),
      label_check_("training", device_),
      recorder_(device_, capture && metrics_stay(model), "training step") {
    model.optimizer().set_loss_scaling(precision_of(model) == Precision::f16);
}

void TrainSteps::run(const StepBatch& batch, const StepPart& part) {
    model_.optimizer().prepare(parameters_);
    if (!part.whole()) place_sums();
    label_check_.take(model_.loss(), batch);
    const StepRecorder::Constants constants{.share = part.share, .optimizer = model_.optimizer().generation()};
    const bool replayed = recorder_.run(part.last ? with_optimizer_ : without_optimizer_, batch, parameters_, constants,
                                        [&](const Batch& its) { queue(its, part); });
    if (!part.last) return;
    model_.optimizer().advance();
    if (replayed) ++replayed_;
}

void TrainSteps::queue(const Batch& batch, const StepPart& part) {
    try {
        const Tensor target = batch.target.to(device_);
        Tensor prediction = first_output(model_, prepared_inputs(model_, batch.inputs, device_), true);
        label_check_.see(model_.loss(), prediction);
        weigh(prediction, target, batch.weight);
        Tensor value = model_.loss()(prediction, target);
        if (const Tensor added = penalty(model_, parameters_); added.defined()) value = value + added;
        const Tensor mask = ops::mask_of(prediction), weight = ops::weight_of(prediction);
        prediction = prediction.detach();
        ops::set_mask(prediction, mask);
        ops::set_weight(prediction, weight);
        model_.optimizer().scale_loss(part.share == 1 ? value : value * part.share).backward();
        if (part.whole()) {
            model_.optimizer().apply(parameters_);
        } else {
            add_to_sums();
            if (part.last) apply_sums();
        }
        if (part.last) model_.apply_constraints();
        drop_gradients();
        loss_.add_mean(value.detach(), static_cast<double>(batch.size()));
        update_metrics(model_, prediction, target);
    } catch (...) {
        drop_gradients();
        throw;
    }
}

/// Gives an output the weights of its examples: their own times those of their classes.
void TrainSteps::weigh(const Tensor& prediction, const Tensor& target, const Tensor& weight) const {
    Tensor all = weight.defined() ? weight.to(device_) : Tensor();
    if (class_weights_.defined()) {
        Tensor by_class = class_weights_.of(model_.loss(), prediction, target);
        all = all.defined() ? product(all, by_class) : by_class;
    }
    ops::set_weight(prediction, all);
}

void TrainSteps::drop_gradients() {
    for (const auto& [name, parameter] : parameters_) parameter.zero_grad();
}

/// Done before anything is captured, because memory that is allocated during a capture belongs to the graph.
void TrainSteps::place_sums() {
    sums_.resize(parameters_.size());
    received_.resize(parameters_.size());
    for (std::size_t i = 0; i < sums_.size(); ++i) {
        const Tensor& parameter = parameters_[i].second;
        if (parameter.requires_grad() && !sums_[i].defined())
            sums_[i] = Tensor::zeros(parameter.shape(), parameter.options());
    }
}

void TrainSteps::add_to_sums() {
    for (std::size_t i = 0; i < sums_.size(); ++i) {
        const Tensor gradient = parameters_[i].second.grad();
        if (!gradient.defined()) continue;
        received_[i] = true;
        ops::run(kernels::scale_add(), {.alpha = 1, .beta = 1, .x = ops::view(gradient), .y = ops::view(sums_[i])},
                 {&gradient}, {&sums_[i]});
    }
}

void TrainSteps::apply_sums() {
    for (std::size_t i = 0; i < sums_.size(); ++i) {
        const Tensor& parameter = parameters_[i].second;
        parameter.set_grad(received_[i] && parameter.requires_grad() ? sums_[i] : Tensor());
    }
    model_.optimizer().apply(parameters_);
    for (const Tensor& sum : sums_)
        if (sum.defined()) sum.fill_(0);
}

}  // namespace heddle::detail
