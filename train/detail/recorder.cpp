#include "train/detail/recorder.h"

#include "core/check.h"
#include "core/random.h"
#include "kernels/elementwise/elementwise.h"
#include "ops/detail/run.h"
#include "train/detail/notice.h"

namespace heddle::detail {
namespace {

StepRecorder::Key key_of(const StepBatch& batch, const NamedTensors& tensors,
                         const StepRecorder::Constants& constants) {
    StepRecorder::Key key;
    if (batch.resident) key.batch.emplace_back(Shape{batch.samples}, DType::i64);
    for (const Tensor& input : batch.given.inputs) key.batch.emplace_back(input.shape(), input.dtype());
    for (const Tensor& beside : {batch.given.target, batch.given.weight})
        if (beside.defined()) key.batch.emplace_back(beside.shape(), beside.dtype());
    for (const auto& [name, tensor] : tensors) key.tensors.emplace_back(tensor.raw(), tensor.requires_grad());
    key.seed = default_generator().seed();
    key.constants = constants;
    return key;
}

void advance(const Tensor& offset, std::uint64_t numbers) {
    const View view = ops::view(offset);
    ops::run(kernels::scalar_binary(),
             {.op = kernels::BinaryOp::add, .scalar = static_cast<double>(numbers), .x = view, .y = view}, {&offset},
             {&offset});
}

}  // namespace

StepRecorder::StepRecorder(Device device, bool capture, std::string what)
    : device_(device), capture_(capture && Graph::can_capture(device)), what_(std::move(what)) {}

bool StepRecorder::run(Recording& recording, const StepBatch& batch, const NamedTensors& tensors,
                       const Constants& constants, const std::function<void(const Batch&)>& step) {
    if (capture_) {
        Key now = key_of(batch, tensors, constants);
        bool recorded = recording.graph && now == recording.captured;
        if (!recorded && now == recording.seen && !recording.graph) {
            recording.captured = std::move(now);
            recorded = try_capture(recording, batch, step);
        } else if (!recorded) {
            // A graph that works on other tensors than this step is useless now.
            const Key& then = recording.captured;
            if (now.tensors != then.tensors || now.seed != then.seed ||
                now.constants.optimizer != then.constants.optimizer)
                recording.graph = Graph();
            recording.seen = std::move(now);
        }
        if (recorded) {
            replay(recording, batch);
            return true;
        }
    }
    step(batch.make());
    return false;
}

bool StepRecorder::try_capture(Recording& recording, const StepBatch& batch,
                               const std::function<void(const Batch&)>& step) {
    if (!offset_.defined()) {
        offset_ = Tensor::zeros(Shape{1}, {DType::i64, device_});
        offset_now_ = 0;
        advance(offset_, 0);  // no eager step does this, and a kernel's first launch, which may load it, belongs there
    }
    const auto place = [this](const Tensor& like) {
        return like.defined() ? Tensor::empty(like.shape(), {like.dtype(), device_}) : Tensor();
    };
    recording.batch = Batch{.target = place(batch.given.target), .weight = place(batch.given.weight)};
    for (const Tensor& input : batch.given.inputs) recording.batch.inputs.push_back(place(input));
    try {
        recording.graph = Graph::capture(device_, [&] {
            const DeviceOffset offsets(static_cast<const std::uint64_t*>(offset_.raw()));
            step(batch.resident ? batch.make() : recording.batch);
            recording.offsets_taken = offsets.taken();
            if (recording.offsets_taken > 0) advance(offset_, recording.offsets_taken);
        });
    } catch (const Error& error) {
        capture_ = false;
        recording.graph = Graph();
        notice(fmt::format("the {} cannot be captured, so each one is queued anew (slower): {}", what_, error.what()));
        return false;
    }
    return true;
}

void StepRecorder::replay(const Recording& recording, const StepBatch& batch) {
    for (std::size_t i = 0; i < recording.batch.inputs.size(); ++i)
        recording.batch.inputs[i].copy_(batch.given.inputs[i]);
    if (recording.batch.target.defined()) recording.batch.target.copy_(batch.given.target);
    if (recording.batch.weight.defined()) recording.batch.weight.copy_(batch.given.weight);
    Generator& generator = default_generator();
    if (recording.offsets_taken > 0 && offset_now_ != generator.offset())
        offset_.copy_(Tensor::from({static_cast<std::int64_t>(generator.offset())}, Shape{1}));
    recording.graph.replay();
    generator.set(generator.seed(), generator.offset() + recording.offsets_taken);
    if (recording.offsets_taken > 0) offset_now_ = generator.offset();
}

}  // namespace heddle::detail
