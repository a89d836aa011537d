#include "train/detail/optimizer_run.h"
#include "train/detail/optimizer_settings.h"

// SGD, Adam and its kin, RMSprop and its kin: one kernel each, over all parameters.
namespace heddle {
namespace {

using detail::check_fraction;
using detail::check_rules;
using detail::rules_of;
using detail::run;
using detail::settings_of;
using detail::views;

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

/// Adam, AdamW, NAdam and Adamax.
class AdamImpl final : public OptimizerImpl {
  public:
    struct Variant {
        const char* name = "Adam";
        kernels::AdamKind kind = kernels::AdamKind::adam;
        bool decoupled = false;
        double momentum_decay = 1;
    };

    AdamImpl(const AdamOptions& options, const Variant& variant)
        : OptimizerImpl(rules_of(options)), options_(options), variant_(variant) {
        check_rules(variant.name, rules_of(options));
        check_fraction(variant.name, "beta_1", options.beta_1);
        check_fraction(variant.name, "beta_2", options.beta_2);
        check(options.epsilon >= 0, "{}: epsilon must not be negative, got {}", variant.name, options.epsilon);
        check(variant.momentum_decay > 0, "{}: momentum_decay must be positive, got {}", variant.name,
              variant.momentum_decay);
    }
    const char* class_name() const override { return variant_.name; }
    std::vector<std::string> slots() const override {
        std::vector<std::string> names{"exp_avg",
                                       variant_.kind == kernels::AdamKind::adamax ? "exp_inf" : "exp_avg_sq"};
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
        step.decoupled = variant_.decoupled;
        step.kind = variant_.kind;
        step.momentum_decay = variant_.momentum_decay;
        step.gradient_scale = ops::view(group.gradient_scale);
        step.skip = ops::view(group.skip);
        run(kernels::adam_step(), step, group);
    }

  private:
    AdamOptions options_;
    Variant variant_;
};

/// What the options of Adam's kin have in common with its own.
template <class Options>
AdamOptions adam_options(const Options& o) {
    return {.learning_rate = o.learning_rate,
            .beta_1 = o.beta_1,
            .beta_2 = o.beta_2,
            .epsilon = o.epsilon,
            .weight_decay = o.weight_decay,
            .clip_norm = o.clip_norm,
            .global_clip_norm = o.global_clip_norm,
            .decay_vectors = o.decay_vectors};
}

std::shared_ptr<OptimizerImpl> adamw(const AdamWOptions& o) {
    AdamOptions options = adam_options(o);
    options.amsgrad = o.amsgrad;
    return std::make_shared<AdamImpl>(options, AdamImpl::Variant{.name = "AdamW", .decoupled = true});
}

/// What the rules that keep squares of gradients have in common; these are the first slot.
kernels::RmspropStep squares_step(const OptimizerImpl::Group& group, double epsilon) {
    kernels::RmspropStep step{};
    step.parameters = views(group.parameters);
    step.gradients = views(group.gradients);
    step.square_average = views(group.slots[0]);
    step.learning_rate = ops::view(group.learning_rate);
    step.epsilon = static_cast<float>(epsilon);
    step.weight_decay = static_cast<float>(group.weight_decay);
    step.gradient_scale = ops::view(group.gradient_scale);
    step.skip = ops::view(group.skip);
    return step;
}

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
        kernels::RmspropStep step = squares_step(group, options_.epsilon);
        if (options_.momentum > 0) step.momenta = views(group.slots[1]);
        if (options_.centered) step.gradient_average = views(group.slots.back());
        step.rho = options_.rho;
        step.momentum = static_cast<float>(options_.momentum);
        step.centered = options_.centered;
        run(kernels::rmsprop_step(), step, group);
    }

  private:
    RMSpropOptions options_;
};

class AdagradImpl final : public OptimizerImpl {
  public:
    explicit AdagradImpl(const AdagradOptions& options) : OptimizerImpl(rules_of(options)), options_(options) {
        check_rules("Adagrad", rules_of(options));
        check(options.initial_accumulator_value >= 0, "Adagrad: initial_accumulator_value must not be negative, got {}",
              options.initial_accumulator_value);
        check(options.epsilon >= 0, "Adagrad: epsilon must not be negative, got {}", options.epsilon);
    }
    const char* class_name() const override { return "Adagrad"; }
    std::vector<std::string> slots() const override { return {"sum"}; }
    double first_state() const override { return options_.initial_accumulator_value; }
    void update(const Group& group) override {
        kernels::RmspropStep step = squares_step(group, options_.epsilon);
        step.accumulate = true;
        run(kernels::rmsprop_step(), step, group);
    }

  private:
    AdagradOptions options_;
};

class AdadeltaImpl final : public OptimizerImpl {
  public:
    explicit AdadeltaImpl(const AdadeltaOptions& options) : OptimizerImpl(rules_of(options)), options_(options) {
        check_rules("Adadelta", rules_of(options));
        check_fraction("Adadelta", "rho", options.rho);
        check(options.epsilon >= 0, "Adadelta: epsilon must not be negative, got {}", options.epsilon);
    }
    const char* class_name() const override { return "Adadelta"; }
    std::vector<std::string> slots() const override { return {"square_avg", "acc_delta"}; }
    void update(const Group& group) override {
        kernels::RmspropStep step = squares_step(group, options_.epsilon);
        step.rho = options_.rho;
        step.update_average = views(group.slots[1]);
        run(kernels::rmsprop_step(), step, group);
    }

  private:
    AdadeltaOptions options_;
};

}  // namespace

SGD::SGD(const SGDOptions& options) : Optimizer(std::make_shared<SGDImpl>(options), settings_of("SGD", options)) {}

Adam::Adam(const AdamOptions& options)
    : Optimizer(std::make_shared<AdamImpl>(options, AdamImpl::Variant{}), settings_of("Adam", options)) {}

AdamW::AdamW(const AdamWOptions& options) : Optimizer(adamw(options), settings_of("AdamW", options)) {}

Nadam::Nadam(const NadamOptions& options)
    : Optimizer(std::make_shared<AdamImpl>(
                    adam_options(options),
                    AdamImpl::Variant{
                        .name = "Nadam", .kind = kernels::AdamKind::nadam, .momentum_decay = options.momentum_decay}),
                settings_of("Nadam", options)) {}

Adamax::Adamax(const AdamaxOptions& options)
    : Optimizer(std::make_shared<AdamImpl>(adam_options(options),
                                           AdamImpl::Variant{.name = "Adamax", .kind = kernels::AdamKind::adamax}),
                settings_of("Adamax", options)) {}

RMSprop::RMSprop(const RMSpropOptions& options)
    : Optimizer(std::make_shared<RMSpropImpl>(options), settings_of("RMSprop", options)) {}

Adagrad::Adagrad(const AdagradOptions& options)
    : Optimizer(std::make_shared<AdagradImpl>(options), settings_of("Adagrad", options)) {}

Adadelta::Adadelta(const AdadeltaOptions& options)
    : Optimizer(std::make_shared<AdadeltaImpl>(options), settings_of("Adadelta", options)) {}

}  // namespace heddle
