#include "train/detail/resident.h"

#include <algorithm>

#include "data/permutation.h"
#include "kernels/copy/copy.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/image/image.h"
#include "ops/autograd/grad_mode.h"
#include "ops/detail/run.h"
#include "train/detail/label_check.h"

namespace heddle::detail {
namespace {

bool in_order(const std::vector<std::int64_t>& rows) {
    for (std::size_t i = 1; i < rows.size(); ++i)
        if (rows[i] != rows[0] + static_cast<std::int64_t>(i)) return false;
    return true;
}

Shape with_rows(const Tensor& examples, std::int64_t rows) { return examples.shape().with(0, rows); }

/// y = x at `indices` along the leading dimension.
void gather_rows(const Tensor& x, const Tensor& indices, const Tensor& y) {
    if (y.elements() == 0) return;
    ops::run(kernels::gather(), {.axis = 0, .x = ops::view(x), .indices = ops::view(indices), .y = ops::view(y)},
             {&x, &indices}, {&y});
}

/// The rows that belong to the data set, in order.
Tensor chosen(const Tensor& all, const std::vector<std::int64_t>& rows) {
    const auto count = static_cast<std::int64_t>(rows.size());
    if (rows.empty()) return all;
    if (in_order(rows)) return all.slice(rows[0], rows[0] + count);
    Tensor result = Tensor::empty(with_rows(all, count), all.options());
    gather_rows(all, Tensor::from(rows, Shape{count}), result);
    return result;
}

template <class T>
void send_table(const std::vector<T>& values, const Tensor& table) {
    if (table.defined()) table.copy_(Tensor::from(values, table.shape()));
}

std::int64_t rows_of(const StoredExamples& stored) {
    return stored.rows.empty() ? stored.target.size(0) : static_cast<std::int64_t>(stored.rows.size());
}

}  // namespace

ResidentData::ResidentData(const StoredExamples& stored, const LoaderOptions& options, Device device, DType dtype)
    : options_(options),
      device_(device),
      size_(rows_of(stored)),
      rows_(stored.rows),
      pictures_(stored.pictures),
      dtype_(dtype) {
    place(stored);
}

std::size_t ResidentData::bytes(const StoredExamples& stored) {
    constexpr std::size_t plan = 3 * sizeof(std::int64_t) + 1;  // of one example: its place, shift, hole and flip
    std::size_t all = stored.target.bytes();
    for (const Tensor& input : stored.inputs) all += input.bytes();
    const auto rows = static_cast<std::size_t>(std::max<std::int64_t>(stored.target.size(0), 1));
    const std::size_t weights = stored.weight.defined() ? stored.weight.bytes() : 0;
    return (all / rows + plan) * static_cast<std::size_t>(rows_of(stored)) + weights;
}

void ResidentData::place(const StoredExamples& stored) {
    const NoGrad no_grad;
    for (const Tensor& input : stored.inputs) inputs_.push_back(chosen(input, stored.rows).to(device_));
    const Tensor target = chosen(stored.target, stored.rows);
    if (may_be_labels(target)) host_target_ = target;
    target_ = target.to(device_);
    if (stored.weight.defined()) weight_ = stored.weight.to(device_);
    const auto table = [&](const Shape& shape, DType dtype) { return Tensor::zeros(shape, {dtype, device_}); };
    order_ = table(Shape{size_}, DType::i64);
    position_ = table(Shape{1}, DType::i64);
    if (!pictures_ || weight_.defined()) places_ = Tensor::arange(std::min(options_.batch_size, size_)).to(device_);
    if (!pictures_) return;
    const auto channels = [&](const std::vector<float>& values) {
        return values.empty() ? Tensor()
                              : Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())}, device_);
    };
    mean_ = channels(pictures_->mean);
    inverse_deviation_ = channels(pictures_->inverse_deviation);
    if (!pictures_->augmentation) return;
    shifts_ = table(Shape{size_, 2}, DType::i32);
    flips_ = table(Shape{size_}, DType::u8);
    if (pictures_->augmentation->cutout > 0) holes_ = table(Shape{size_, 2}, DType::i32);
}

ResidentData::Plan ResidentData::plan(std::uint64_t epoch) const {
    Plan plan{.order = epoch_order(size_, options_.shuffle, options_.seed, epoch)};
    if (!shifts_.defined()) return plan;
    std::vector<std::int64_t> drawn_by = plan.order;
    if (!rows_.empty())
        for (std::int64_t& example : drawn_by) example = rows_[static_cast<std::size_t>(example)];
    plan.draws = draw_augmentation(*pictures_->augmentation, inputs_[0].size(1), inputs_[0].size(2), drawn_by,
                                   {.seed = options_.seed, .epoch = epoch});
    return plan;
}

void ResidentData::send(const Plan& plan) {
    send_table(plan.order, order_);
    send_table(plan.draws.shifts, shifts_);
    send_table(plan.draws.flips, flips_);
    send_table(plan.draws.holes, holes_);
}

void ResidentData::start(std::uint64_t epoch, std::int64_t first_step) {
    const bool changes = options_.shuffle || shifts_.defined();
    if (!sent_ || (changes && *sent_ != epoch)) {
        const bool ready = next_.valid() && ahead_ == epoch;
        send(ready ? next_.get() : plan(epoch));
        sent_ = epoch;
        if (changes && options_.prefetch > 0) {
            ahead_ = epoch + 1;
            next_ = std::async(std::launch::async, [this, epoch] { return plan(epoch + 1); });
        }
    }
    given_ = first_step * options_.batch_size;
    position_.fill_(static_cast<double>(given_));
}

std::int64_t ResidentData::take() {
    const std::int64_t end = options_.drop_last ? size_ / options_.batch_size * options_.batch_size : size_;
    const std::int64_t count = std::clamp<std::int64_t>(end - given_, 0, options_.batch_size);
    given_ += count;
    return count;
}

Batch ResidentData::make(std::int64_t count) {
    const NoGrad no_grad;
    Batch batch;
    for (const Tensor& input : inputs_)
        batch.inputs.push_back(Tensor::empty(with_rows(input, count), {pictures_ ? dtype_ : input.dtype(), device_}));
    batch.target = Tensor::empty(with_rows(target_, count), target_.options());
    const Tensor examples = places_.defined() ? next_examples(count) : Tensor();
    pictures_ ? make_pictures(batch) : make_rows(examples, batch);
    if (weight_.defined()) {
        batch.weight = Tensor::empty(with_rows(weight_, count), weight_.options());
        gather_rows(weight_, examples, batch.weight);
    }
    const View position = ops::view(position_);
    ops::run(kernels::scalar_binary(),
             {.op = kernels::BinaryOp::add, .scalar = static_cast<double>(count), .x = position, .y = position},
             {&position_}, {&position_});
    return batch;
}

void ResidentData::make_pictures(const Batch& batch) const {
    kernels::ImageBatch args;
    args.pictures = ops::view(inputs_[0]);
    args.indices = ops::view(order_);
    args.first = ops::view(position_);
    if (pictures_->augmentation) {
        args.shifts = ops::view(shifts_);
        args.flips = ops::view(flips_);
        args.holes = ops::view(holes_);
        args.hole = pictures_->augmentation->cutout;
        args.pad = pictures_->augmentation->pad;
        args.mode = pictures_->augmentation->padding == Augmentation::Padding::reflect ? kernels::CropPadding::reflect
                                                                                       : kernels::CropPadding::zero;
    }
    args.mean = ops::view(mean_);
    args.inverse_deviation = ops::view(inverse_deviation_);
    args.scale = 1.0f / 255;
    args.labels = ops::view(target_);
    args.targets = ops::view(batch.target);
    args.y = ops::view(batch.inputs[0]);
    std::vector<const Tensor*> reads{&inputs_[0], &order_, &position_, &target_};
    for (const Tensor* table : {&shifts_, &flips_, &holes_, &mean_, &inverse_deviation_})
        if (table->defined()) reads.push_back(table);
    const Tensor* writes[] = {&batch.inputs[0], &batch.target};
    ops::run(kernels::image_batch(), args, std::span<const Tensor* const>(reads),
             std::span<const Tensor* const>(writes));
}

void ResidentData::make_rows(const Tensor& examples, const Batch& batch) const {
    for (std::size_t i = 0; i < inputs_.size(); ++i) gather_rows(inputs_[i], examples, batch.inputs[i]);
    gather_rows(target_, examples, batch.target);
}

/// The numbers of the examples of the next batch: i64 [count], on the device.
Tensor ResidentData::next_examples(std::int64_t count) const {
    const Tensor examples = Tensor::empty(Shape{count}, {DType::i64, device_});
    gather_rows(order_, places_.slice(0, count) + position_, examples);
    return examples;
}

}  // namespace heddle::detail
