#include "train/optimizer.h"

#include <array>
#include <map>
#include <span>

#include "core/check.h"
#include "kernels/elementwise/elementwise.h"
#include "ops/autograd/grad_mode.h"
#include "ops/elementwise.h"
#include "train/detail/optimizer_run.h"
#include "train/detail/optimizer_state.h"
#include "train/muon.h"

namespace heddle {
namespace {

/// f32 [1], on the gradients' device.
Tensor norm_of(const std::vector<Tensor>& gradients) {
    const Tensor result = Tensor::empty(Shape{1}, {DType::f32, gradients.front().device()});
    std::vector<const Tensor*> reads;
    for (const Tensor& gradient : gradients) reads.push_back(&gradient);
    const std::array<const Tensor*, 1> writes{&result};
    ops::run(kernels::gradient_norm(), {.gradients = detail::views(gradients), .result = ops::view(result)},
             std::span<const Tensor* const>(reads), std::span<const Tensor* const>(writes));
    return result;
}

/// The factor that brings `norm` down to `limit`, at most 1. (The small constant is PyTorch's.)
Tensor clipping(const Tensor& norm, double limit) {
    return ops::binary(ops::BinaryOp::minimum, limit / (norm + 1e-6), 1.0);
}

/// One more, unless the step is skipped.
void count_step(const Tensor& step, const Tensor& skip) {
    if (skip.defined()) return step.copy_(step + (1.0 - skip));
    ops::run(kernels::scalar_binary(),
             {.op = kernels::BinaryOp::add, .scalar = 1, .x = ops::view(step), .y = ops::view(step)}, {&step}, {&step});
}

struct Named {
    const char* name;
    Optimizer (*make)();
};

const auto& known_optimizers() {
    static const std::array list{
        Named{"sgd", [] { return Optimizer(SGD()); }},         Named{"adam", [] { return Optimizer(Adam()); }},
        Named{"adamw", [] { return Optimizer(AdamW()); }},     Named{"nadam", [] { return Optimizer(Nadam()); }},
        Named{"adamax", [] { return Optimizer(Adamax()); }},   Named{"rmsprop", [] { return Optimizer(RMSprop()); }},
        Named{"adagrad", [] { return Optimizer(Adagrad()); }}, Named{"adadelta", [] { return Optimizer(Adadelta()); }},
        Named{"muon", [] { return Optimizer(Muon()); }},
    };
    return list;
}

}  // namespace

OptimizerImpl::OptimizerImpl(UpdateRules rules) : state_(std::make_unique<State>(std::move(rules))) {}
OptimizerImpl::OptimizerImpl(UpdateRules rules, std::vector<OptimizerGroup> groups) : OptimizerImpl(std::move(rules)) {
    check(!groups.empty(), "OptimizerGroups: expected at least one group");
    for (const OptimizerGroup& group : groups) {
        check(!group.parameters.empty() && group.optimizer,
              "OptimizerGroups: a group needs names of parameters and an optimizer");
        check(group.optimizer.impl_->state_->groups.empty(), "OptimizerGroups: a group cannot have groups");
    }
    state_->groups = std::move(groups);
}
OptimizerImpl::~OptimizerImpl() = default;

Optimizer::Optimizer(const std::string& name) {
    std::vector<std::string> names;
    for (const Named& known : known_optimizers()) {
        if (name == known.name) {
            *this = known.make();
            return;
        }
        names.emplace_back(known.name);
    }
    fail(fmt::format("no optimizer is called \"{}\"; there are: {}", name, fmt::join(names, ", ")));
}

void Optimizer::step(const NamedTensors& parameters) const {
    prepare(parameters);
    apply(parameters);
    advance();
}

void Optimizer::prepare(const NamedTensors& parameters) const {
    if (parameters.empty()) return;
    OptimizerImpl::State& state = *impl_->state_;
    const Device device = parameters.front().second.device();
    if (state.loss_scale) state.loss_scale->place(device);
    if (!state.groups.empty()) {
        const std::vector<NamedTensors>& shares = state.deal(parameters);
        for (std::size_t i = 0; i < shares.size(); ++i) state.groups[i].optimizer.prepare(shares[i]);
        return;
    }
    state.place(device);
    if (!state.step_there) state.step.fill_(static_cast<double>(state.steps_taken));
    state.step_there = true;
    if (const double rate = learning_rate(); state.rate_there != rate) {
        state.learning_rate.fill_(rate);
        state.rate_there = rate;
    }
}

void Optimizer::advance() const {
    for (const OptimizerGroup& group : impl_->state_->groups) group.optimizer.advance();
    ++impl_->state_->iterations;
}

void Optimizer::apply(const NamedTensors& parameters) const {
    const NoGrad no_grad;
    detail::GradientFactors factors;
    const auto& scaling = impl_->state_->loss_scale;
    if (scaling) {
        std::vector<Tensor> gradients;
        for (const auto& [name, parameter] : parameters)
            if (parameter.grad().defined()) gradients.push_back(parameter.grad());
        if (gradients.empty()) return;
        const Tensor norm = norm_of(gradients);
        factors.scale = 1.0 / scaling->factor;
        factors.skip = ops::binary(ops::BinaryOp::not_equal, norm - norm, 0.0).to(DType::f32);
    }
    apply(parameters, factors);
    if (scaling) scaling->follow(factors.skip);
}

void Optimizer::apply(const NamedTensors& parameters, const detail::GradientFactors& factors) const {
    OptimizerImpl::State& state = *impl_->state_;
    if (!state.groups.empty()) {
        const std::vector<NamedTensors>& shares = state.deal(parameters);
        for (std::size_t i = 0; i < shares.size(); ++i) state.groups[i].optimizer.apply(shares[i], factors);
        return;
    }
    const UpdateRules& rules = state.rules;
    state.bind(parameters);
    const std::size_t slots = impl_->slots().size();

    // Decayed parameters, the others; with `clip_norm` each parameter for itself, since each has a scale of its own.
    std::vector<OptimizerImpl::Group> groups(2);
    std::vector<Tensor> gradients;
    for (OptimizerImpl::State::Entry& entry : state.entries) {
        const Tensor gradient = entry.parameter.grad();
        if (!gradient.defined()) continue;
        const bool decayed = rules.weight_decay > 0 && (rules.decay_vectors || entry.parameter.rank() > 1);
        std::size_t place = decayed ? 0 : 1;
        if (rules.clip_norm > 0) {
            place = groups.size();
            groups.emplace_back();
        }
        OptimizerImpl::Group& group = groups[place];
        state.make_slots(entry, slots, impl_->first_state());
        group.weight_decay = decayed ? rules.weight_decay : 0;
        group.parameters.push_back(entry.parameter);
        group.gradients.push_back(gradient);
        group.slots.resize(slots);
        for (std::size_t slot = 0; slot < slots; ++slot) group.slots[slot].push_back(entry.slots[slot]);
        gradients.push_back(gradient);
    }
    if (gradients.empty()) return;
    check(state.step.defined(), "{}: apply comes after prepare", class_name());
    count_step(state.step, factors.skip);

    // What the gradients are multiplied by is known on the device alone; norms are those of the unscaled ones.
    const auto unscaled = [&](const Tensor& value) { return factors.scale.defined() ? value * factors.scale : value; };
    const auto clipped = [&](const std::vector<Tensor>& what, double limit) {
        return unscaled(clipping(unscaled(norm_of(what)), limit));
    };
    const Tensor scale = rules.global_clip_norm > 0 ? clipped(gradients, rules.global_clip_norm) : factors.scale;
    for (OptimizerImpl::Group& group : groups) {
        if (group.parameters.empty()) continue;
        check(state.step.defined() && state.step.device() == group.parameters.front().device(),
              "{}: apply comes after prepare, and all parameters are on one device", class_name());
        group.step = state.step;
        group.learning_rate = state.learning_rate;
        group.gradient_scale = rules.clip_norm > 0 ? clipped(group.gradients, rules.clip_norm) : scale;
        group.skip = factors.skip;
        impl_->update(group);
        for (const Tensor& parameter : group.parameters) parameter.impl()->storage->bump_version();
    }
}

void Optimizer::set_loss_scaling(bool on) const {
    auto& scaling = impl_->state_->loss_scale;
    if (on == scaling.has_value()) return;
    ++impl_->state_->generation;
    if (on)
        scaling.emplace();
    else
        scaling.reset();
}

Tensor Optimizer::scale_loss(const Tensor& loss) const {
    const auto& scaling = impl_->state_->loss_scale;
    if (!scaling) return loss;
    check(scaling->factor.defined(), "{}: scale_loss comes after prepare", class_name());
    return loss * scaling->factor.reshape(loss.shape());
}

double Optimizer::loss_scale() const {
    const auto& scaling = impl_->state_->loss_scale;
    return !scaling ? 1 : scaling->factor.defined() ? scaling->factor.item() : detail::LossScale::first;
}

double Optimizer::learning_rate() const {
    const OptimizerImpl::State& state = *impl_->state_;
    return state.groups.empty() ? state.rules.learning_rate.at(state.iterations)
                                : state.groups.front().optimizer.learning_rate();
}

void Optimizer::set_learning_rate(double rate) const {
    check(impl_->state_->groups.empty(), "{}: set the learning rate of a group's optimizer", class_name());
    check(!follows_schedule(), "{}: the learning rate follows a schedule and cannot be set", class_name());
    impl_->state_->rules.learning_rate = Schedule(rate);
}

bool Optimizer::follows_schedule() const {
    const OptimizerImpl::State& state = *impl_->state_;
    return state.groups.empty() ? !state.rules.learning_rate.is_constant()
                                : state.groups.front().optimizer.follows_schedule();
}

std::int64_t Optimizer::iterations() const { return impl_->state_->iterations; }

std::int64_t Optimizer::generation() const {
    std::int64_t sum = impl_->state_->generation;
    for (const OptimizerGroup& group : impl_->state_->groups) sum += group.optimizer.generation();
    return sum;
}

NamedTensors Optimizer::state() const {
    const OptimizerImpl::State& state = *impl_->state_;
    NamedTensors all;
    for (std::size_t i = 0; i < state.groups.size(); ++i)
        for (const auto& [name, tensor] : state.groups[i].optimizer.state())
            all.emplace_back(fmt::format("group{}.{}", i, name), tensor);
    const std::vector<std::string> names = impl_->slots();
    for (const auto& entry : state.entries)
        for (std::size_t slot = 0; slot < entry.slots.size(); ++slot)
            all.emplace_back(names[slot] + "." + entry.name, entry.slots[slot].clone());
    all.emplace_back("iterations", Tensor::from({state.iterations}, Shape{}));
    if (const std::int64_t taken = state.taken(); state.groups.empty() && taken != state.iterations)
        all.emplace_back("steps_taken", Tensor::from({taken}, Shape{}));
    all.emplace_back("learning_rate", Tensor::from({learning_rate()}, Shape{}));
    if (state.loss_scale && state.loss_scale->factor.defined()) {
        all.emplace_back("loss_scale", state.loss_scale->factor.clone());
        all.emplace_back("steps_since_overflow", state.loss_scale->good.clone());
    }
    return all;
}

OptimizerImpl::Saved Optimizer::checked(const NamedTensors& saved, const NamedTensors& parameters) const {
    std::map<std::string, Tensor> left(saved.begin(), saved.end());
    const auto take = [&](const std::string& name) {
        const auto place = left.find(name);
        if (place == left.end()) return Tensor();
        Tensor tensor = place->second;
        left.erase(place);
        return tensor;
    };
    const Tensor iterations = take("iterations"), rate = take("learning_rate");
    const Tensor factor = take("loss_scale"), good = take("steps_since_overflow"), taken = take("steps_taken");
    check(factor.defined() == good.defined() &&
              (!factor.defined() || (factor.shape() == Shape{1} && good.shape() == Shape{1} &&
                                     factor.dtype() == DType::f32 && good.dtype() == DType::f32)),
          "{}: the saved state's loss scaling is not two f32 numbers", class_name());
    check(iterations.defined() && rate.defined(), "{}: the saved state has no \"iterations\" or no \"learning_rate\"",
          class_name());

    OptimizerImpl::Saved result;
    result.iterations = static_cast<std::int64_t>(iterations.item());
    result.steps_taken = taken.defined() ? static_cast<std::int64_t>(taken.item()) : result.iterations;
    result.learning_rate = rate.item();
    if (factor.defined()) result.loss_scale = detail::LossScale{factor.clone(), good.clone()};
    OptimizerImpl::State& state = *impl_->state_;
    if (!state.groups.empty()) {
        const std::vector<NamedTensors>& shares = state.deal(parameters);
        for (std::size_t i = 0; i < state.groups.size(); ++i) {
            const std::string lead = fmt::format("group{}.", i);
            NamedTensors own;
            for (const auto& [name, tensor] : saved)
                if (name.starts_with(lead)) own.emplace_back(name.substr(lead.size()), take(name));
            result.groups.push_back(state.groups[i].optimizer.checked(own, shares[i]));
        }
    }
    for (const auto& [name, parameter] : parameters) {
        OptimizerImpl::State::Entry entry{name, parameter, {}};
        for (const std::string& slot : impl_->slots()) {
            const Tensor tensor = take(slot + "." + name);
            if (!tensor.defined()) continue;
            check(tensor.shape() == parameter.shape() && tensor.dtype() == parameter.dtype(),
                  "{}: the saved \"{}.{}\" is {} {}, the parameter {} {}", class_name(), slot, name,
                  to_string(tensor.dtype()), tensor.shape().to_string(), to_string(parameter.dtype()),
                  parameter.shape().to_string());
            entry.slots.push_back(tensor.clone().to(parameter.device()));
        }
        check(entry.slots.empty() || entry.slots.size() == impl_->slots().size(),
              "{}: the saved state has a part of what parameter \"{}\" needs", class_name(), name);
        result.entries.push_back(std::move(entry));
    }
    check(left.empty(), "{}: the saved state has \"{}\", which belongs to another optimizer or model", class_name(),
          left.empty() ? "" : left.begin()->first);
    return result;
}

void Optimizer::take(OptimizerImpl::Saved saved) const {
    OptimizerImpl::State& state = *impl_->state_;
    ++state.generation;
    for (std::size_t i = 0; i < state.groups.size(); ++i) state.groups[i].optimizer.take(std::move(saved.groups[i]));
    state.entries = std::move(saved.entries);
    state.iterations = saved.iterations;
    state.steps_taken = saved.steps_taken;
    state.step_there = false;
    if (saved.loss_scale) state.loss_scale = std::move(saved.loss_scale);
    if (state.groups.empty() && !follows_schedule()) state.rules.learning_rate = Schedule(saved.learning_rate);
}

void Optimizer::set_state(const NamedTensors& state, const NamedTensors& parameters) const {
    take(checked(state, parameters));
}

}  // namespace heddle
