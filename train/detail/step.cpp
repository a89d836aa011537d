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

TrainSteps::Signature TrainSteps::signature(const Batch& batch) const {
    Signature result;
    for (const Tensor& input : batch.inputs) result.batch.emplace_back(input.shape(), input.dtype());
    result.batch.emplace_back(batch.target.shape(), batch.target.dtype());
    for (const auto& [name, parameter] : parameters_)
        result.parameters.emplace_back(parameter.raw(), parameter.requires_grad());
    result.seed = default_generator().seed();
    return result;
}

void TrainSteps::run(const Batch& batch) {
    model_.optimizer().prepare(parameters_);
    if (capture_) {
        Signature now = signature(batch);
        if (graph_ && now == captured_) return replay(batch);
        if (now == seen_ && !graph_) {
            captured_ = std::move(now);
            inputs_.clear();
            for (const Tensor& input : batch.inputs)
                inputs_.push_back(Tensor::empty(input.shape(), {input.dtype(), device_}));
            target_ = Tensor::empty(batch.target.shape(), {batch.target.dtype(), device_});
            if (try_capture(batch.size())) return replay(batch);
        } else if (now.parameters != captured_.parameters || now.seed != captured_.seed) {
            graph_ = Graph();  // it trains other tensors than this step would
        }
        seen_ = std::move(now);
    }
    queue(batch.inputs, batch.target.to(device_), batch.size());
    model_.optimizer().advance();
}

void TrainSteps::queue(const std::vector<Tensor>& inputs, const Tensor& target, std::int64_t samples) {
    Tensor prediction = first_output(model_, prepared_inputs(model_, inputs, device_), true);
    Tensor value = model_.loss()(prediction, target);
    if (const Tensor added = penalty(model_, parameters_); added.defined()) value = value + added;
    prediction = prediction.detach();
    model_.optimizer().scale_loss(value).backward();
    model_.optimizer().apply(parameters_);
    model_.apply_constraints();
    for (const auto& [name, parameter] : parameters_) parameter.zero_grad();
    loss_.add_mean(value.detach(), static_cast<double>(samples));
    for (const Metric& metric : model_.metrics()) metric.update(prediction, target);
}

bool TrainSteps::try_capture(std::int64_t samples) {
    const TensorOptions on_device{DType::i64, device_};
    if (!offset_.defined()) offset_ = Tensor::zeros(Shape{1}, on_device);
    offset_now_ = 0;
    try {
        graph_ = Graph::capture(device_, [&] {
            const DeviceOffset offsets(static_cast<const std::uint64_t*>(offset_.raw()));
            queue(inputs_, target_, samples);
            offsets_taken_ = offsets.taken();
            if (offsets_taken_ == 0) return;
            const View offset = ops::view(offset_);
            ops::run(
                kernels::scalar_binary(),
                {.op = kernels::BinaryOp::add, .scalar = static_cast<double>(offsets_taken_), .x = offset, .y = offset},
                {&offset_}, {&offset_});
        });
    } catch (const Error& error) {
        for (const auto& [name, parameter] : parameters_) parameter.zero_grad();
        capture_ = false;
        graph_ = Graph();
        std::fprintf(stderr, "heddle: the training step cannot be captured, so each one is queued anew (slower): %s\n",
                     error.what());
        return false;
    }
    return true;
}

void TrainSteps::replay(const Batch& batch) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i].copy_(batch.inputs[i]);
    target_.copy_(batch.target);
    Generator& generator = default_generator();
    if (offsets_taken_ > 0 && offset_now_ != generator.offset())
        offset_.copy_(Tensor::from({static_cast<std::int64_t>(generator.offset())}, Shape{1}));
    graph_.replay();
    generator.set(generator.seed(), generator.offset() + offsets_taken_);
    offset_now_ = generator.offset();
    model_.optimizer().advance();
    ++replayed_;
}

}  // namespace heddle::detail
