#pragma once

#include <span>
#include <vector>

#include "core/check.h"
#include "kernels/optim/optim.h"
#include "ops/detail/run.h"
#include "train/optimizer.h"

// What the kinds of optimizers share.
namespace heddle::detail {

inline kernels::TensorList views(const std::vector<Tensor>& tensors) {
    kernels::TensorList list;
    list.reserve(tensors.size());
    for (const Tensor& tensor : tensors) list.push_back(ops::view(tensor));
    return list;
}

/// What a step reads and writes, so that it is ordered behind the earlier users of the tensors on a device of several
/// streams.
template <class Step>
void run(KernelTable<Step>& table, const Step& step, const OptimizerImpl::Group& group) {
    std::vector<const Tensor*> reads{&group.learning_rate, &group.step}, writes;
    if (group.gradient_scale.defined()) reads.push_back(&group.gradient_scale);
    if (group.skip.defined()) reads.push_back(&group.skip);
    for (const Tensor& gradient : group.gradients) reads.push_back(&gradient);
    for (const Tensor& parameter : group.parameters) writes.push_back(&parameter);
    for (const std::vector<Tensor>& slot : group.slots)
        for (const Tensor& state : slot) writes.push_back(&state);
    ops::run(table, step, std::span<const Tensor* const>(reads), std::span<const Tensor* const>(writes));
}

inline void check_rules(const char* optimizer, const UpdateRules& rules) {
    check(rules.weight_decay >= 0, "{}: weight_decay must not be negative, got {}", optimizer, rules.weight_decay);
    check(rules.clip_norm >= 0 && rules.global_clip_norm >= 0,
          "{}: norms to clip to must not be negative, got {} and {}", optimizer, rules.clip_norm,
          rules.global_clip_norm);
    check(rules.clip_norm == 0 || rules.global_clip_norm == 0, "{}: clip_norm and global_clip_norm exclude each other",
          optimizer);
    check(!rules.learning_rate.is_constant() || rules.learning_rate.at(0) >= 0,
          "{}: learning_rate must not be negative, got {}", optimizer, rules.learning_rate.at(0));
}

inline void check_fraction(const char* optimizer, const char* name, double value) {
    check(value >= 0 && value < 1, "{}: {} must be in [0, 1), got {}", optimizer, name, value);
}

template <class Options>
UpdateRules rules_of(const Options& o) {
    UpdateRules rules{o.learning_rate, o.weight_decay, o.clip_norm, o.global_clip_norm};
    if constexpr (requires { o.decay_vectors; }) rules.decay_vectors = o.decay_vectors;
    return rules;
}

}  // namespace heddle::detail
