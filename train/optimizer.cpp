#include "train/optimizer.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>

#include "kernels/optim/optim.h"
#include "ops/autograd/grad_mode.h"
#include "ops/detail/run.h"
#include "ops/elementwise.h"

namespace heddle {

namespace {

/// The factor of dynamic loss scaling and how long it has stood, on the device, so that following it makes nobody wait.
struct LossScale {
    static constexpr double first = 65536, interval = 2000;
    Tensor factor, good;  // f32 [1]

    void place(Device device) {
        if (!factor.defined()) {
            factor = Tensor::full(Shape{1}, first, {DType::f32, device});
            good = Tensor::zeros(Shape{1}, {DType::f32, device});
        }
        factor = factor.to(device);
        good = good.to(device);
    }

    /// Halves the factor where `skip` is not zero, doubles it when it has stood long enough.
    void follow(const Tensor& skip) const {
        const Tensor bad = ops::binary(ops::BinaryOp::not_equal, skip, 0.0), count = good + 1.0;
        const Tensor due = ops::binary(ops::BinaryOp::greater_equal, count, interval);
        const Tensor zero = Tensor::zeros(Shape{1}, factor.options());
        factor.copy_(ops::where(bad, factor * 0.5, ops::where(due, factor * 2.0, factor)));
        good.copy_(ops::where(bad, zero, ops::where(due, zero, count)));
    }
};

}  // namespace

struct OptimizerImpl::State {
    explicit State(UpdateRules update_rules) : rules(std::move(update_rules)) {}

    /// What is kept of one parameter.
    struct Entry {
        std::string name;
        Tensor parameter;
        std::vector<Tensor> slots;  // empty until the first gradient comes
    };

    UpdateRules rules;
    std::int64_t iterations = 0;
    std::vector<Entry> entries;
    Tensor learning_rate, step;  // f32 [1], on the parameters' device, always at one address
    std::optional<LossScale> loss_scale;

    void place(Device device) {
        if (step.defined() && step.device() == device) return;
        step = Tensor::zeros(Shape{1}, {DType::f32, device});
        learning_rate = Tensor::zeros(Shape{1}, {DType::f32, device});
    }

    /// Makes `entries` those of `parameters`, in their order; what is known of a name stays.
    void bind(const NamedTensors& parameters) {
        const bool same =
            entries.size() == parameters.size() &&
            std::equal(entries.begin(), entries.end(), parameters.begin(), [](const Entry& entry, const auto& named) {
                return entry.parameter.is_same(named.second) && entry.name == named.first;
            });
        if (same) return;
        std::map<std::string, std::vector<Tensor>> known;
        for (Entry& entry : entries) known[entry.name] = std::move(entry.slots);
        entries.clear();
        for (const auto& [name, tensor] : parameters) {
            const auto place = known.find(name);
            Entry entry{name, tensor, place != known.end() ? std::move(place->second) : std::vector<Tensor>{}};
            if (!entry.slots.empty())
                check(entry.slots.front().shape() == tensor.shape(),
                      "optimizer: parameter \"{}\" was {}, now it is {}: use another optimizer for another model", name,
                      entry.slots.front().shape().to_string(), tensor.shape().to_string());
            entries.push_back(std::move(entry));
        }
    }

    void make_slots(Entry& entry, std::size_t count) {
        if (entry.slots.size() != count) {
            entry.slots.clear();
            for (std::size_t i = 0; i < count; ++i)
                entry.slots.push_back(Tensor::zeros(entry.parameter.shape(), entry.parameter.options()));
        }
        for (Tensor& slot : entry.slots)
            if (slot.device() != entry.parameter.device()) slot = slot.to(entry.parameter.device());
    }
};

namespace {

using kernels::TensorList;

TensorList views(const std::vector<Tensor>& tensors) {
    TensorList list;
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

/// f32 [1], on the gradients' device.
Tensor norm_of(const std::vector<Tensor>& gradients) {
    const Tensor result = Tensor::empty(Shape{1}, {DType::f32, gradients.front().device()});
    std::vector<const Tensor*> reads;
    for (const Tensor& gradient : gradients) reads.push_back(&gradient);
    const std::array<const Tensor*, 1> writes{&result};
    ops::run(kernels::gradient_norm(), {.gradients = views(gradients), .result = ops::view(result)},
             std::span<const Tensor* const>(reads), std::span<const Tensor* const>(writes));
    return result;
}

/// The factor that brings `norm` down to `limit`, at most 1. (The small constant is PyTorch's.)
Tensor clipping(const Tensor& norm, double limit) {
    return ops::binary(ops::BinaryOp::minimum, limit / (norm + 1e-6), 1.0);
}

void check_rules(const char* optimizer, const UpdateRules& rules) {
    check(rules.weight_decay >= 0, "{}: weight_decay must not be negative, got {}", optimizer, rules.weight_decay);
    check(rules.clip_norm >= 0 && rules.global_clip_norm >= 0,
          "{}: norms to clip to must not be negative, got {} and {}", optimizer, rules.clip_norm,
          rules.global_clip_norm);
    check(rules.clip_norm == 0 || rules.global_clip_norm == 0, "{}: clip_norm and global_clip_norm exclude each other",
          optimizer);
    check(!rules.learning_rate.is_constant() || rules.learning_rate.at(0) >= 0,
          "{}: learning_rate must not be negative, got {}", optimizer, rules.learning_rate.at(0));
}

void check_fraction(const char* optimizer, const char* name, double value) {
    check(value >= 0 && value < 1, "{}: {} must be in [0, 1), got {}", optimizer, name, value);
}

template <class Options>
UpdateRules rules_of(const Options& o) {
    return {o.learning_rate, o.weight_decay, o.clip_norm, o.global_clip_norm, o.decay_vectors};
}

class SGDImpl final : public OptimizerImpl {
  public:
    explicit SGDImpl(const SGDOptions& options) : OptimizerImpl(rules_of(options)), options_(options) {
        check_rules("SGD", rules_of(options));
        check(options.momentum >= 0, "SGD: momentum must not be negative, got {}", options.momentum);
        check(!options.nesterov || options.momentum > 0, "SGD: nesterov needs momentum");
    }
    const char* class_name() const override { return "SGD"; }
    std::vector<std::string> slots() const override {
        return options_.momentum > 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{};
    }
    void update(const Group& group) override {
        kernels::SgdStep step{};
        step.parameters = views(group.parameters);
        step.gradients = views(group.gradients);
        if (options_.momentum > 0) step.momenta = views(group.slots[0]);
        step.learning_rate = ops::view(group.learning_rate);
        step.momentum = static_cast<float>(options_.momentum);
        step.weight_decay = static_cast<float>(group.weight_decay);
        step.nesterov = options_.nesterov;
        step.gradient_scale = ops::view(group.gradient_scale);
        step.skip = ops::view(group.skip);
        run(kernels::sgd_step(), step, group);
    }

  private:
    SGDOptions options_;
};

class AdamImpl final : public OptimizerImpl {
  public:
    AdamImpl(const char* name, const AdamOptions& options, bool decoupled)
        : OptimizerImpl(rules_of(options)), name_(name), options_(options), decoupled_(decoupled) {
        check_rules(name, rules_of(options));
        check_fraction(name, "beta_1", options.beta_1);
        check_fraction(name, "beta_2", options.beta_2);
        check(options.epsilon >= 0, "{}: epsilon must not be negative, got {}", name, options.epsilon);
    }
    const char* class_name() const override { return name_; }
    std::vector<std::string> slots() const override {
        std::vector<std::string> names{"exp_avg", "exp_avg_sq"};
        if (options_.amsgrad) names.emplace_back("max_exp_avg_sq");
        return names;
    }
    void update(const Group& group) override {
        kernels::AdamStep step{};
        step.parameters = views(group.parameters);
        step.gradients = views(group.gradients);
        step.first = views(group.slots[0]);
        step.second = views(group.slots[1]);
        if (options_.amsgrad) step.max_second = views(group.slots[2]);
        step.learning_rate = ops::view(group.learning_rate);
        step.step = ops::view(group.step);
        step.beta1 = options_.beta_1;
        step.beta2 = options_.beta_2;
        step.epsilon = static_cast<float>(options_.epsilon);
        step.weight_decay = static_cast<float>(group.weight_decay);
        step.decoupled = decoupled_;
        step.gradient_scale = ops::view(group.gradient_scale);
        step.skip = ops::view(group.skip);
        run(kernels::adam_step(), step, group);
    }

  private:
    const char* name_;
    AdamOptions options_;
    bool decoupled_;
};

class RMSpropImpl final : public OptimizerImpl {
  public:
    explicit RMSpropImpl(const RMSpropOptions& options) : OptimizerImpl(rules_of(options)), options_(options) {
        check_rules("RMSprop", rules_of(options));
        check_fraction("RMSprop", "rho", options.rho);
        check(options.momentum >= 0, "RMSprop: momentum must not be negative, got {}", options.momentum);
        check(options.epsilon >= 0, "RMSprop: epsilon must not be negative, got {}", options.epsilon);
    }
    const char* class_name() const override { return "RMSprop"; }
    std::vector<std::string> slots() const override {
        std::vector<std::string> names{"square_avg"};
        if (options_.momentum > 0) names.emplace_back("momentum");
        if (options_.centered) names.emplace_back("grad_avg");
        return names;
    }
    void update(const Group& group) override {
        kernels::RmspropStep step{};
        step.parameters = views(group.parameters);
        step.gradients = views(group.gradients);
        step.square_average = views(group.slots[0]);
        if (options_.momentum > 0) step.momenta = views(group.slots[1]);
        if (options_.centered) step.gradient_average = views(group.slots.back());
        step.learning_rate = ops::view(group.learning_rate);
        step.rho = options_.rho;
        step.momentum = static_cast<float>(options_.momentum);
        step.epsilon = static_cast<float>(options_.epsilon);
        step.weight_decay = static_cast<float>(group.weight_decay);
        step.centered = options_.centered;
        step.gradient_scale = ops::view(group.gradient_scale);
        step.skip = ops::view(group.skip);
        run(kernels::rmsprop_step(), step, group);
    }

  private:
    RMSpropOptions options_;
};

struct Named {
    const char* name;
    Optimizer (*make)();
};

const auto& known_optimizers() {
    static const std::array list{
        Named{"sgd", [] { return Optimizer(SGD()); }},
        Named{"adam", [] { return Optimizer(Adam()); }},
        Named{"adamw", [] { return Optimizer(AdamW()); }},
        Named{"rmsprop", [] { return Optimizer(RMSprop()); }},
    };
    return list;
}

}  // namespace

OptimizerImpl::OptimizerImpl(UpdateRules rules) : state_(std::make_unique<State>(std::move(rules))) {}
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
    state.place(device);
    if (state.loss_scale) state.loss_scale->place(device);
    state.step.fill_(static_cast<double>(state.iterations + 1));
    state.learning_rate.fill_(learning_rate());
}

void Optimizer::advance() const { ++impl_->state_->iterations; }

void Optimizer::apply(const NamedTensors& parameters) const {
    const NoGrad no_grad;
    OptimizerImpl::State& state = *impl_->state_;
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
        state.make_slots(entry, slots);
        group.weight_decay = decayed ? rules.weight_decay : 0;
        group.parameters.push_back(entry.parameter);
        group.gradients.push_back(gradient);
        group.slots.resize(slots);
        for (std::size_t slot = 0; slot < slots; ++slot) group.slots[slot].push_back(entry.slots[slot]);
        gradients.push_back(gradient);
    }
    if (gradients.empty()) return;

    // What the gradients are multiplied by, and whether the step is skipped: known on the device alone.
    Tensor unscale, scale, skip, norm;
    if (state.loss_scale) unscale = 1.0 / state.loss_scale->factor;
    const auto unscaled = [&](const Tensor& value) { return unscale.defined() ? value * unscale : value; };
    if (state.loss_scale || rules.global_clip_norm > 0) norm = norm_of(gradients);
    scale = unscale;
    if (rules.global_clip_norm > 0) scale = unscaled(clipping(unscaled(norm), rules.global_clip_norm));
    if (state.loss_scale) skip = ops::binary(ops::BinaryOp::not_equal, norm - norm, 0.0).to(DType::f32);
    for (OptimizerImpl::Group& group : groups) {
        if (group.parameters.empty()) continue;
        check(state.step.defined() && state.step.device() == group.parameters.front().device(),
              "{}: apply comes after prepare, and all parameters are on one device", class_name());
        group.step = state.step;
        group.learning_rate = state.learning_rate;
        group.gradient_scale =
            rules.clip_norm > 0 ? unscaled(clipping(unscaled(norm_of(group.gradients)), rules.clip_norm)) : scale;
        group.skip = skip;
        impl_->update(group);
        for (const Tensor& parameter : group.parameters) parameter.impl()->storage->bump_version();
    }
    if (state.loss_scale) state.loss_scale->follow(skip);
}

void Optimizer::set_loss_scaling(bool on) const {
    auto& scaling = impl_->state_->loss_scale;
    if (on && !scaling) scaling.emplace();
    if (!on) scaling.reset();
}

Tensor Optimizer::scale_loss(const Tensor& loss) const {
    const auto& scaling = impl_->state_->loss_scale;
    if (!scaling) return loss;
    check(scaling->factor.defined(), "{}: scale_loss comes after prepare", class_name());
    return loss * scaling->factor.reshape(loss.shape());
}

double Optimizer::loss_scale() const {
    const auto& scaling = impl_->state_->loss_scale;
    return !scaling ? 1 : scaling->factor.defined() ? scaling->factor.item() : LossScale::first;
}

double Optimizer::learning_rate() const { return impl_->state_->rules.learning_rate.at(impl_->state_->iterations); }

void Optimizer::set_learning_rate(double rate) const {
    check(!follows_schedule(), "{}: the learning rate follows a schedule and cannot be set", class_name());
    impl_->state_->rules.learning_rate = Schedule(rate);
}

bool Optimizer::follows_schedule() const { return !impl_->state_->rules.learning_rate.is_constant(); }

std::int64_t Optimizer::iterations() const { return impl_->state_->iterations; }

NamedTensors Optimizer::state() const {
    const OptimizerImpl::State& state = *impl_->state_;
    NamedTensors all;
    const std::vector<std::string> names = impl_->slots();
    for (const auto& entry : state.entries)
        for (std::size_t slot = 0; slot < entry.slots.size(); ++slot)
            all.emplace_back(names[slot] + "." + entry.name, entry.slots[slot].clone());
    all.emplace_back("iterations", Tensor::from({state.iterations}, Shape{}));
    all.emplace_back("learning_rate", Tensor::from({learning_rate()}, Shape{}));
    if (state.loss_scale && state.loss_scale->factor.defined()) {
        all.emplace_back("loss_scale", state.loss_scale->factor.clone());
        all.emplace_back("steps_since_overflow", state.loss_scale->good.clone());
    }
    return all;
}

void Optimizer::set_state(const NamedTensors& saved, const NamedTensors& parameters) const {
    std::map<std::string, Tensor> left(saved.begin(), saved.end());
    const auto take = [&](const std::string& name) {
        const auto place = left.find(name);
        if (place == left.end()) return Tensor();
        Tensor tensor = place->second;
        left.erase(place);
        return tensor;
    };
    const Tensor iterations = take("iterations"), rate = take("learning_rate");
    const Tensor factor = take("loss_scale"), good = take("steps_since_overflow");
    check(factor.defined() == good.defined() &&
              (!factor.defined() || (factor.shape() == Shape{1} && good.shape() == Shape{1} &&
                                     factor.dtype() == DType::f32 && good.dtype() == DType::f32)),
          "{}: the saved state's loss scaling is not two f32 numbers", class_name());
    check(iterations.defined() && rate.defined(), "{}: the saved state has no \"iterations\" or no \"learning_rate\"",
          class_name());

    std::vector<OptimizerImpl::State::Entry> entries;
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
        entries.push_back(std::move(entry));
    }
    check(left.empty(), "{}: the saved state has \"{}\", which belongs to another optimizer or model", class_name(),
          left.empty() ? "" : left.begin()->first);

    OptimizerImpl::State& state = *impl_->state_;
    state.entries = std::move(entries);
    state.iterations = static_cast<std::int64_t>(iterations.item());
    if (factor.defined()) {
        state.loss_scale.emplace();
        state.loss_scale->factor = factor.clone();
        state.loss_scale->good = good.clone();
    }
    if (!follows_schedule()) state.rules.learning_rate = Schedule(rate.item());
}

SGD::SGD(const SGDOptions& options) : Optimizer(std::make_shared<SGDImpl>(options)) {}

Adam::Adam(const AdamOptions& options) : Optimizer(std::make_shared<AdamImpl>("Adam", options, false)) {}

AdamW::AdamW(const AdamWOptions& o)
    : Optimizer(std::make_shared<AdamImpl>("AdamW",
                                           AdamOptions{.learning_rate = o.learning_rate,
                                                       .beta_1 = o.beta_1,
                                                       .beta_2 = o.beta_2,
                                                       .epsilon = o.epsilon,
                                                       .amsgrad = o.amsgrad,
                                                       .weight_decay = o.weight_decay,
                                                       .clip_norm = o.clip_norm,
                                                       .global_clip_norm = o.global_clip_norm,
                                                       .decay_vectors = o.decay_vectors},
                                           true)) {}

RMSprop::RMSprop(const RMSpropOptions& options) : Optimizer(std::make_shared<RMSpropImpl>(options)) {}

}  // namespace heddle
