#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/optim/implementations.h"

namespace heddle::kernels {
namespace {

double scalar(const View& view) { return double(*view.as<float>()); }
double scalar_or_one(const View& view) { return view ? scalar(view) : 1.0; }
bool is_set(const View& flag) { return flag && scalar(flag) != 0; }

DType list_dtype(const TensorList& list) { return list.empty() ? DType::f32 : list.front().dtype; }

/// Element i of tensor k; 0 where the list is empty.
template <class T>
double get(const TensorList& list, std::size_t k, std::int64_t i) {
    return list.empty() ? 0.0 : double(list[k].as<T>()[i]);
}

template <class T>
void set(const TensorList& list, std::size_t k, std::int64_t i, double value) {
    if (!list.empty()) list[k].as<T>()[i] = static_cast<T>(value);
}

/// Calls `body(k, i)` for every element of every tensor.
template <class Body>
void each_element(const TensorList& list, const Body& body) {
    for (std::size_t k = 0; k < list.size(); ++k)
        for (std::int64_t i = 0; i < list[k].elements(); ++i) body(k, i);
}

template <class T>
void step(const SgdStep& args) {
    const double rate = scalar(args.learning_rate), scale = scalar_or_one(args.gradient_scale);
    each_element(args.parameters, [&](std::size_t k, std::int64_t i) {
        const double p = get<T>(args.parameters, k, i);
        const double g = get<T>(args.gradients, k, i) * scale + double(args.weight_decay) * p;
        const double v = double(args.momentum) * get<T>(args.momenta, k, i) + g;
        set<T>(args.momenta, k, i, v);
        set<T>(args.parameters, k, i, p - rate * (args.nesterov ? g + double(args.momentum) * v : v));
    });
}

/// What the averages of an Adam step are multiplied by.
struct AdamRates {
    double first, gradient;
};

/// NAdam's mu of step i.
double momentum_of(const AdamStep& args, double i) {
    return args.beta1 * (1 - 0.5 * std::pow(0.96, i * args.momentum_decay));
}

AdamRates rates_of(const AdamStep& args, double t) {
    if (args.kind != AdamKind::nadam) return {1 / (1 - std::pow(args.beta1, t)), 0};
    double product = 1;
    for (double i = 1; i <= t && product > 0; ++i) product *= momentum_of(args, i);  // 0 after some thousand steps
    const double now = momentum_of(args, t), next = momentum_of(args, t + 1);
    return {next / (1 - product * next), (1 - now) / (1 - product)};
}

template <class T>
void step(const AdamStep& args) {
    const double rate = scalar(args.learning_rate), scale = scalar_or_one(args.gradient_scale);
    const double t = scalar(args.step);
    const AdamRates rates = rates_of(args, t);
    const double second_correction = 1 - std::pow(args.beta2, t), decay = double(args.weight_decay);
    const bool adamax = args.kind == AdamKind::adamax;
    each_element(args.parameters, [&](std::size_t k, std::int64_t i) {
        double p = get<T>(args.parameters, k, i), g = get<T>(args.gradients, k, i) * scale;
        if (args.decoupled)
            p *= 1 - rate * decay;
        else
            g += decay * p;
        const double m = args.beta1 * get<T>(args.first, k, i) + (1 - args.beta1) * g;
        const double old = args.beta2 * get<T>(args.second, k, i);
        const double v = adamax ? std::max(std::abs(g) + double(args.epsilon), old) : old + (1 - args.beta2) * g * g;
        const double used = args.max_second.empty() ? v : std::max(get<T>(args.max_second, k, i), v);
        set<T>(args.first, k, i, m);
        set<T>(args.second, k, i, v);
        set<T>(args.max_second, k, i, used);
        const double denominator = adamax ? v : std::sqrt(used / second_correction) + double(args.epsilon);
        set<T>(args.parameters, k, i, p - rate * (rates.first * m + rates.gradient * g) / denominator);
    });
}

template <class T>
void step(const RmspropStep& args) {
    const double rate = scalar(args.learning_rate), scale = scalar_or_one(args.gradient_scale);
    each_element(args.parameters, [&](std::size_t k, std::int64_t i) {
        const double p = get<T>(args.parameters, k, i);
        const double g = get<T>(args.gradients, k, i) * scale + double(args.weight_decay) * p;
        const double old = get<T>(args.square_average, k, i);
        const double s = args.accumulate ? old + g * g : args.rho * old + (1 - args.rho) * g * g;
        set<T>(args.square_average, k, i, s);
        if (!args.update_average.empty()) {
            const double d = get<T>(args.update_average, k, i), epsilon = double(args.epsilon);
            const double u = g * std::sqrt(d + epsilon) / std::sqrt(s + epsilon);
            set<T>(args.update_average, k, i, args.rho * d + (1 - args.rho) * u * u);
            set<T>(args.parameters, k, i, p - rate * u);
            return;
        }
        const double a = args.centered ? args.rho * get<T>(args.gradient_average, k, i) + (1 - args.rho) * g : 0;
        const double u = g / (std::sqrt(std::max(s - a * a, 0.0)) + double(args.epsilon));
        const double b = double(args.momentum) * get<T>(args.momenta, k, i) + u;
        set<T>(args.gradient_average, k, i, a);
        set<T>(args.momenta, k, i, b);
        set<T>(args.parameters, k, i, p - rate * b);
    });
}

template <class T>
void norm(const GradientNorm& args) {
    double sum = 0;
    each_element(args.gradients, [&](std::size_t k, std::int64_t i) {
        const double g = get<T>(args.gradients, k, i);
        sum += g * g;
    });
    *args.result.as<float>() = static_cast<float>(std::sqrt(sum));
}

template <class Step>
void add_step(KernelTable<Step>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const Step& args) { return float_or_double(list_dtype(args.parameters)); },
               .run =
                   [](const Step& args, KernelContext&) {
                       if (is_set(args.skip)) return;
                       with_float_type(list_dtype(args.parameters), [&](auto zero) { step<decltype(zero)>(args); });
                   }});
}

}  // namespace

void add_reference(KernelTable<SgdStep>& table) { add_step(table); }
void add_reference(KernelTable<AdamStep>& table) { add_step(table); }
void add_reference(KernelTable<RmspropStep>& table) { add_step(table); }

void add_reference(KernelTable<GradientNorm>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const GradientNorm& args) { return float_or_double(list_dtype(args.gradients)); },
               .run =
                   [](const GradientNorm& args, KernelContext&) {
                       with_float_type(list_dtype(args.gradients), [&](auto zero) { norm<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
