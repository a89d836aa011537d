#include "train/detail/gathered_mean.h"

#include <limits>

#include "core/check.h"
#include "kernels/elementwise/elementwise.h"
#include "ops/autograd/grad_mode.h"
#include "ops/detail/run.h"

namespace heddle::detail {
namespace {

Tensor two(const std::vector<double>& numbers, Device device) {
    return Tensor::from({numbers[0], numbers[1]}, Shape{2}, device);
}

}  // namespace

void GatheredMean::reset() {
    total_ = count_ = 0;
    if (sums_.defined()) sums_.copy_(zeros_);
}

void GatheredMean::add(double total, double count) {
    total_ += total;
    count_ += count;
}

void GatheredMean::move_to(Device device) {
    if (sums_.defined() && sums_.device() == device) return;
    sums_ = two(state(), device);
    zeros_ = Tensor::zeros(Shape{2}, sums_.options());
    one_ = Tensor::ones(Shape{1}, {DType::f32, device});
    total_ = count_ = 0;
}

void GatheredMean::add_to(int place, const Tensor& value, double weight) {
    const Tensor sum = sums_.slice(place, place + 1);
    ops::run(kernels::scale_add(),
             {.alpha = static_cast<float>(weight),
              .beta = 1,
              .x = View(value.raw(), Shape{1}, DType::f32),
              .y = ops::view(sum)},
             {&value}, {&sum});
}

void GatheredMean::add(const Tensor& value, double weight, double count) {
    if (value.device().kind == DeviceKind::cpu) {
        add(value.item() * weight, count);
        return;
    }
    const NoGrad no_grad;
    move_to(value.device());
    add_to(0, value.detach().to(DType::f32), weight);
    add_to(1, one_, count);
}

void GatheredMean::add_total(const Tensor& total, const Tensor& count) {
    if (total.device().kind == DeviceKind::cpu) {
        add(total.item(), count.item());
        return;
    }
    const NoGrad no_grad;
    move_to(total.device());
    add_to(0, total.detach().to(DType::f32), 1);
    add_to(1, count.detach().to(DType::f32), 1);
}

double GatheredMean::mean() const {
    const std::vector<double> sums = state();
    return sums[1] > 0 ? sums[0] / sums[1] : std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> GatheredMean::state() const {
    if (!sums_.defined()) return {total_, count_};
    const std::vector<double> sums = sums_.to_vector<double>();
    return {total_ + sums[0], count_ + sums[1]};
}

void GatheredMean::set_state(const std::vector<double>& state) {
    check(state.size() == 2, "what a mean has gathered is 2 numbers, got {}", state.size());
    reset();
    if (sums_.defined())
        sums_.copy_(two(state, sums_.device()));
    else
        add(state[0], state[1]);
}

}  // namespace heddle::detail
