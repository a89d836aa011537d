#include "train/detail/gathered_sums.h"

#include <algorithm>

#include "core/check.h"
#include "kernels/elementwise/elementwise.h"
#include "ops/detail/run.h"

namespace heddle::detail {

void GatheredSums::reset() {
    std::fill(host_.begin(), host_.end(), 0.0);
    if (device_.defined()) device_.copy_(zeros_);
}

void GatheredSums::add(std::span<const double> values) {
    if (host_.empty()) host_.resize(values.size());
    check(host_.size() == values.size(), "a metric that has gathered {} sums got {}", host_.size(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) host_[i] += values[i];
}

void GatheredSums::add(const Tensor& values) {
    if (!device_.defined() || device_.device() != values.device()) {
        if (device_.defined()) host_ = sums();
        device_ = Tensor::zeros(values.shape(), {DType::f64, values.device()});
        zeros_ = Tensor::zeros(values.shape(), device_.options());
    }
    check(device_.shape() == values.shape(), "a metric that has gathered {} sums got {}", device_.elements(),
          values.elements());
    ops::run(kernels::scale_add(), {.alpha = 1, .beta = 1, .x = ops::view(values), .y = ops::view(device_)}, {&values},
             {&device_});
}

std::vector<double> GatheredSums::sums() const {
    if (!device_.defined()) return host_;
    std::vector<double> all = device_.to_vector<double>();
    for (std::size_t i = 0; i < host_.size(); ++i) all[i] += host_[i];
    return all;
}

void GatheredSums::set(const std::vector<double>& sums) {
    host_ = sums;
    if (device_.defined()) device_.copy_(zeros_);
}

}  // namespace heddle::detail
