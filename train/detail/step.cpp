#include "train/detail/step.h"

#include <cstdio>

#include "core/check.h"
#include "core/random.h"
#include "kernels/elementwise/elementwise.h"
#include "layers/detail/compute_type.h"
#include "ops/detail/run.h"
#include "train/detail/state.h"

namespace heddle::detail {

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
    return output.to(wide(output.dtype()));
}

TrainSteps::TrainSteps(const Model& model, NamedTensors parameters, GatheredMean& loss, bool capture)
    : model_(model),
      parameters_(std::move(parameters)),
      loss_(loss),
      device_(parameters_.empty() ? Device() : parameters_.front().second.device()),
      capture_(capture && Graph::can_capture(device_)) {
    for (const Metric& metric : model.metrics()) capture_ = capture_ && metric.on_device();
    model.optimizer().set_loss_scaling(precision_of(model) == Precision::f16);
}

TrainSteps::Signature TrainSteps::signature(const Batch& batch, const StepPart& part) const {
    Signature result;
    for (const Tensor& input : batch.inputs) result.batch.emplace_back(input.shape(), input.dtype());
    result.batch.emplace_back(batch.target.shape(), batch.target.dtype());
    for (const auto& [name, parameter] : parameters_)
        result.parameters.emplace_back(parameter.raw(), parameter.requires_grad());
    result.seed = default_generator().seed();
    result.share = part.share;
    return result;
}

void TrainSteps::run(const Batch& batch, const StepPart& part) {
    model_.optimizer().prepare(parameters_);
    if (!part.whole()) place_sums();
    if (capture_) {
        Recording& recording = part.last ? with_optimizer_ : without_optimizer_;
        Signature now = signature(batch, part);
        if (recording.graph && now == recording.captured) return replay(recording, batch, part);
        if (now == recording.seen && !recording.graph) {
            recording.captured = std::move(now);
            recording.inputs.clear();
            for (const Tensor& input : batch.inputs)
                recording.inputs.push_back(Tensor::empty(input.shape(), {input.dtype(), device_}));
            recording.target = Tensor::empty(batch.target.shape(), {batch.target.dtype(), device_});
            if (try_capture(recording, batch.size(), part)) return replay(recording, batch, part);
        } else if (now.parameters != recording.captured.parameters || now.seed != recording.captured.seed) {
            recording.graph = Graph();  // it trains other tensors than this step would
        }
        recording.seen = std::move(now);
    }
    queue(batch.inputs, batch.target.to(device_), batch.size(), part);
    if (part.last) model_.optimizer().advance();
}

void TrainSteps::queue(const std::vector<Tensor>& inputs, const Tensor& target, std::int64_t samples,
                       const StepPart& part) {
    Tensor prediction = first_output(model_, prepared_inputs(model_, inputs, device_), true);
    Tensor value = model_.loss()(prediction, target);
    if (const Tensor added = penalty(model_, parameters_); added.defined()) value = value + added;
    prediction = prediction.detach();
    model_.optimizer().scale_loss(part.share == 1 ? value : value * part.share).backward();
    if (part.whole()) {
        model_.optimizer().apply(parameters_);
    } else {
        add_to_sums();
        if (part.last) apply_sums();
    }
    if (part.last) model_.apply_constraints();
    for (const auto& [name, parameter] : parameters_) parameter.zero_grad();
    loss_.add_mean(value.detach(), static_cast<double>(samples));
    for (const Metric& metric : model_.metrics()) metric.update(prediction, target);
}

/// Before anything is captured: what a graph allocates is its own.
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

bool TrainSteps::try_capture(Recording& recording, std::int64_t samples, const StepPart& part) {
    const TensorOptions on_device{DType::i64, device_};
    if (!offset_.defined()) {
        offset_ = Tensor::zeros(Shape{1}, on_device);
        offset_now_ = 0;
    }
    try {
        recording.graph = Graph::capture(device_, [&] {
            const DeviceOffset offsets(static_cast<const std::uint64_t*>(offset_.raw()));
            queue(recording.inputs, recording.target, samples, part);
            recording.offsets_taken = offsets.taken();
            if (recording.offsets_taken == 0) return;
            const View offset = ops::view(offset_);
            ops::run(kernels::scalar_binary(),
                     {.op = kernels::BinaryOp::add,
                      .scalar = static_cast<double>(recording.offsets_taken),
                      .x = offset,
                      .y = offset},
                     {&offset_}, {&offset_});
        });
    } catch (const Error& error) {
        for (const auto& [name, parameter] : parameters_) parameter.zero_grad();
        capture_ = false;
        recording.graph = Graph();
        std::fprintf(stderr, "heddle: the training step cannot be captured, so each one is queued anew (slower): %s\n",
                     error.what());
        return false;
    }
    return true;
}

void TrainSteps::replay(const Recording& recording, const Batch& batch, const StepPart& part) {
    for (std::size_t i = 0; i < recording.inputs.size(); ++i) recording.inputs[i].copy_(batch.inputs[i]);
    recording.target.copy_(batch.target);
    Generator& generator = default_generator();
    if (recording.offsets_taken > 0 && offset_now_ != generator.offset())
        offset_.copy_(Tensor::from({static_cast<std::int64_t>(generator.offset())}, Shape{1}));
    recording.graph.replay();
    generator.set(generator.seed(), generator.offset() + recording.offsets_taken);
    if (recording.offsets_taken > 0) offset_now_ = generator.offset();
    if (!part.last) return;
    model_.optimizer().advance();
    ++replayed_;
}

}  // namespace heddle::detail
