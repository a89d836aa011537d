#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "train/optimizer_groups.h"

namespace heddle {
namespace {

constexpr int steps = 4;
const std::vector<double> start{1, -2, 0.5};

/// The gradient of step `t` (from 1): different each time, so that every state matters.
std::vector<double> gradient(int t) { return {0.5 / t, -1.0 * t, 0.25 * (t % 2)}; }

std::vector<float> floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

/// Runs `steps` steps on a parameter of rank 2 ("w", decayed always) and returns it.
std::vector<float> run(const Optimizer& optimizer, const char* name = "w", const Shape& shape = Shape{3, 1}) {
    Tensor parameter = Tensor::from(floats(start), shape);
    parameter.set_requires_grad();
    for (int t = 1; t <= steps; ++t) {
        parameter.set_grad(Tensor::from(floats(gradient(t)), shape));
        optimizer.step({{name, parameter}});
    }
    return parameter.to_vector<float>();
}

/// The same with a rule for one element, which keeps its state in `s`.
std::vector<float> expected(const std::function<double(double p, double g, int t, double (&s)[3])>& rule) {
    std::vector<float> result;
    for (std::size_t i = 0; i < start.size(); ++i) {
        double p = start[i], s[3] = {};
        for (int t = 1; t <= steps; ++t) p = rule(p, gradient(t)[i], t, s);
        result.push_back(static_cast<float>(p));
    }
    return result;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted) {
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 2e-6 * (1 + std::abs(wanted[i])));
}

TEST(Optimizer, SGD) {
    expect_near(run(SGD({.learning_rate = 0.1})), expected([](double p, double g, int, auto&) { return p - 0.1 * g; }));
}

TEST(Optimizer, SGDWithMomentumAndDecay) {
    expect_near(run(SGD({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01})),
                expected([](double p, double g, int, auto& s) {
                    s[0] = 0.9 * s[0] + g + 0.01 * p;
                    return p - 0.1 * s[0];
                }));
    expect_near(run(SGD({.learning_rate = 0.1, .momentum = 0.9, .nesterov = true})),
                expected([](double p, double g, int, auto& s) {
                    s[0] = 0.9 * s[0] + g;
                    return p - 0.1 * (g + 0.9 * s[0]);
                }));
}

double adam(double p, double g, int t, double (&s)[3], double rate) {
    s[0] = 0.9 * s[0] + 0.1 * g;
    s[1] = 0.999 * s[1] + 0.001 * g * g;
    const double m = s[0] / (1 - std::pow(0.9, t)), v = s[1] / (1 - std::pow(0.999, t));
    return p - rate * m / (std::sqrt(v) + 1e-7);
}

TEST(Optimizer, Adam) {
    expect_near(run(Adam()), expected([](double p, double g, int t, auto& s) { return adam(p, g, t, s, 0.001); }));
    expect_near(run(Adam({.learning_rate = 0.01, .weight_decay = 0.1})),
                expected([](double p, double g, int t, auto& s) { return adam(p, g + 0.1 * p, t, s, 0.01); }));
}

TEST(Optimizer, AdamWDecaysBesideTheGradient) {
    expect_near(run(AdamW({.learning_rate = 0.01, .weight_decay = 0.1})),
                expected([](double p, double g, int t, auto& s) { return adam(p * (1 - 0.001), g, t, s, 0.01); }));
}

/// Keras' for momentum_decay 1, PyTorch's for 0.004.
double nadam(double p, double g, int t, double (&s)[3], double momentum_decay) {
    const auto momentum = [&](int i) { return 0.9 * (1 - 0.5 * std::pow(0.96, i * momentum_decay)); };
    if (t == 1) s[2] = 1;
    s[0] = 0.9 * s[0] + 0.1 * g;
    s[1] = 0.999 * s[1] + 0.001 * g * g;
    s[2] *= momentum(t);
    const double now = momentum(t), next = momentum(t + 1), v = s[1] / (1 - std::pow(0.999, t));
    const double direction = next * s[0] / (1 - s[2] * next) + (1 - now) * g / (1 - s[2]);
    return p - 0.001 * direction / (std::sqrt(v) + 1e-7);
}

TEST(Optimizer, Nadam) {
    expect_near(run(Nadam()), expected([](double p, double g, int t, auto& s) { return nadam(p, g, t, s, 1); }));
    expect_near(run(Nadam({.momentum_decay = 0.004, .weight_decay = 0.1})),
                expected([](double p, double g, int t, auto& s) { return nadam(p, g + 0.1 * p, t, s, 0.004); }));
}

TEST(Optimizer, Adamax) {
    expect_near(run(Adamax({.learning_rate = 0.01})), expected([](double p, double g, int t, auto& s) {
                    s[0] = 0.9 * s[0] + 0.1 * g;
                    s[1] = std::max(0.999 * s[1], std::abs(g) + 1e-7);
                    return p - 0.01 / (1 - std::pow(0.9, t)) * s[0] / s[1];
                }));
}

TEST(Optimizer, Adagrad) {
    const auto rule = [](double first, double rate) {
        return [=](double p, double g, int t, auto& s) {
            if (t == 1) s[0] = first;
            s[0] += g * g;
            return p - rate * g / (std::sqrt(s[0]) + 1e-7);
        };
    };
    expect_near(run(Adagrad()), expected(rule(0.1, 0.001)));
    expect_near(run(Adagrad({.learning_rate = 0.1, .initial_accumulator_value = 0.5})), expected(rule(0.5, 0.1)));
}

TEST(Optimizer, Adadelta) {
    expect_near(run(Adadelta({.learning_rate = 1})), expected([](double p, double g, int, auto& s) {
                    s[0] = 0.95 * s[0] + 0.05 * g * g;
                    const double u = g * std::sqrt(s[1] + 1e-7) / std::sqrt(s[0] + 1e-7);
                    s[1] = 0.95 * s[1] + 0.05 * u * u;
                    return p - u;
                }));
}

TEST(Optimizer, RMSprop) {
    expect_near(run(RMSprop({.learning_rate = 0.01})), expected([](double p, double g, int, auto& s) {
                    s[0] = 0.9 * s[0] + 0.1 * g * g;
                    return p - 0.01 * g / (std::sqrt(s[0]) + 1e-7);
                }));
    expect_near(run(RMSprop({.learning_rate = 0.01, .momentum = 0.5, .centered = true})),
                expected([](double p, double g, int, auto& s) {
                    s[0] = 0.9 * s[0] + 0.1 * g * g;
                    s[1] = 0.9 * s[1] + 0.1 * g;
                    s[2] = 0.5 * s[2] + g / (std::sqrt(std::max(0.0, s[0] - s[1] * s[1])) + 1e-7);
                    return p - 0.01 * s[2];
                }));
}

TEST(Optimizer, VectorsCanBeLeftUndecayed) {
    const SGDOptions options{.learning_rate = 0.1, .weight_decay = 0.5, .decay_vectors = false};
    expect_near(run(SGD(options), "bias", Shape{3}),
                expected([](double p, double g, int, auto&) { return p - 0.1 * g; }));
    expect_near(run(SGD(options)), expected([](double p, double g, int, auto&) { return p - 0.1 * (g + 0.5 * p); }));
}

TEST(Optimizer, ClipsAllGradientsTogether) {
    Tensor a = Tensor::from({1.0f, 1.0f}, Shape{2}), b = Tensor::from({2.0f}, Shape{1});
    a.set_grad(Tensor::from({3.0f, 0.0f}, Shape{2}));
    b.set_grad(Tensor::from({4.0f}, Shape{1}));
    SGD({.learning_rate = 1, .global_clip_norm = 1}).step({{"a", a}, {"b", b}});
    EXPECT_NEAR(a.to_vector<float>()[0], 1 - 0.6, 1e-6);
    EXPECT_NEAR(a.to_vector<float>()[1], 1, 1e-6);
    EXPECT_NEAR(b.to_vector<float>()[0], 2 - 0.8, 1e-6);
}

TEST(Optimizer, ClipsEachGradientForItself) {
    Tensor a = Tensor::from({1.0f, 1.0f}, Shape{2}), b = Tensor::from({2.0f}, Shape{1});
    a.set_grad(Tensor::from({3.0f, 4.0f}, Shape{2}));
    b.set_grad(Tensor::from({0.5f}, Shape{1}));
    SGD({.learning_rate = 1, .clip_norm = 1}).step({{"a", a}, {"b", b}});
    EXPECT_NEAR(a.to_vector<float>()[0], 1 - 0.6, 1e-6);
    EXPECT_NEAR(a.to_vector<float>()[1], 1 - 0.8, 1e-6);
    EXPECT_NEAR(b.to_vector<float>()[0], 1.5, 1e-6);
}

TEST(Optimizer, FollowsAScheduleAndCountsSteps) {
    const SGD optimizer({.learning_rate = PiecewiseConstantDecay({0}, {1, 0.5})});
    Tensor p = Tensor::from({0.0f}, Shape{1});
    for (int t = 0; t < 3; ++t) {
        p.set_grad(Tensor::from({1.0f}, Shape{1}));
        optimizer.step({{"p", p}});
    }
    EXPECT_FLOAT_EQ(p.to_vector<float>()[0], -2);
    EXPECT_EQ(optimizer.iterations(), 3);
    EXPECT_EQ(optimizer.learning_rate(), 0.5);
    EXPECT_THROW(optimizer.set_learning_rate(1), Error);
}

TEST(Optimizer, ParametersWithoutGradientStay) {
    const Adam optimizer;
    Tensor a = Tensor::from({1.0f}, Shape{1}), b = Tensor::from({2.0f}, Shape{1});
    a.set_grad(Tensor::from({1.0f}, Shape{1}));
    optimizer.step({{"a", a}, {"b", b}});
    EXPECT_NE(a.to_vector<float>()[0], 1);
    EXPECT_EQ(b.to_vector<float>()[0], 2);
    EXPECT_EQ(optimizer.state().size(), 4u);  // two of a, iterations, learning_rate
}

TEST(Optimizer, StateMovesToAnother) {
    const auto step = [](const Optimizer& optimizer, const Tensor& parameter, int t) {
        parameter.set_grad(Tensor::from(floats(gradient(t)), Shape{3}));
        optimizer.step({{"w", parameter}});
    };
    const Tensor whole = Tensor::from(floats(start), Shape{3}), parts = Tensor::from(floats(start), Shape{3});
    const Adam one, first, second;
    for (int t = 1; t <= 4; ++t) step(one, whole, t);
    for (int t = 1; t <= 2; ++t) step(first, parts, t);
    second.set_state(first.state(), {{"w", parts}});
    for (int t = 3; t <= 4; ++t) step(second, parts, t);
    EXPECT_EQ(whole.to_vector<float>(), parts.to_vector<float>());

    const auto moved = [&](const Optimizer& unbroken, const Optimizer& before, const Optimizer& after) {
        const Tensor all = Tensor::from(floats(start), Shape{3}), some = Tensor::from(floats(start), Shape{3});
        for (int t = 1; t <= 4; ++t) step(unbroken, all, t);
        for (int t = 1; t <= 2; ++t) step(before, some, t);
        after.set_state(before.state(), {{"w", some}});
        for (int t = 3; t <= 4; ++t) step(after, some, t);
        EXPECT_EQ(all.to_vector<float>(), some.to_vector<float>()) << unbroken.class_name();
    };
    for (const char* name : {"sgd", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta"})
        moved(Optimizer(name), Optimizer(name), Optimizer(name));

    EXPECT_THROW(second.set_state(first.state(), {{"v", parts}}), Error);
    EXPECT_THROW(second.set_state(first.state(), {{"w", Tensor::zeros(Shape{2})}}), Error);
    EXPECT_THROW(SGD().set_state(first.state(), {{"w", parts}}), Error);
    EXPECT_THROW(second.set_state({}, {{"w", parts}}), Error);
}

/// Names, shapes and values.
std::string text_of(const NamedTensors& state) {
    std::string text;
    for (const auto& [name, tensor] : state) {
        text += name + " " + tensor.shape().to_string();
        for (const double value : tensor.to_vector<double>()) text += " " + std::to_string(value);
        text += "\n";
    }
    return text;
}

TEST(Optimizer, AStateThatIsRefusedChangesNothing) {
    const auto make = [] {
        return OptimizerGroups({{{"a"}, SGD({.learning_rate = 0.1, .momentum = 0.9})}, {{"*"}, Adam()}});
    };
    const NamedTensors parameters{{"a", Tensor::ones(Shape{3})}, {"b", Tensor::ones(Shape{3})}};
    const auto step = [&](const Optimizer& optimizer, int t) {
        for (const auto& [name, parameter] : parameters)
            parameter.set_grad(Tensor::from(floats(gradient(t)), Shape{3}));
        optimizer.step(parameters);
    };
    const OptimizerGroups other = make(), optimizer = make();
    step(other, 1);
    step(optimizer, 1);
    step(optimizer, 2);
    const std::string before = text_of(optimizer.state());
    NamedTensors strange = other.state(), broken = strange;
    strange.emplace_back("of another", Tensor::ones(Shape{3}));
    for (auto& [name, tensor] : broken)
        if (name == "group1.exp_avg_sq.b") tensor = Tensor::ones(Shape{2});
    for (const NamedTensors& state : {strange, broken}) {
        EXPECT_THROW(optimizer.set_state(state, parameters), Error);
        EXPECT_EQ(text_of(optimizer.state()), before);
    }
    optimizer.set_state(other.state(), parameters);
    EXPECT_EQ(text_of(optimizer.state()), text_of(other.state()));
}

TEST(Optimizer, ParametersThatAreRefusedChangeNothing) {
    const SGD optimizer({.learning_rate = 0.1, .momentum = 0.9});
    const auto parameter = [](std::int64_t size) {
        const Tensor tensor = Tensor::ones(Shape{size});
        tensor.set_grad(Tensor::ones(Shape{size}));
        return tensor;
    };
    const Tensor v = parameter(2), w = parameter(3);
    optimizer.step({{"v", v}, {"w", w}});
    const std::string before = text_of(optimizer.state());
    EXPECT_THROW(optimizer.step({{"v", parameter(2)}, {"w", parameter(4)}}), Error);
    EXPECT_EQ(text_of(optimizer.state()), before);
}

TEST(Optimizer, Names) {
    EXPECT_STREQ(Optimizer("sgd").class_name(), "SGD");
    EXPECT_STREQ(Optimizer("adamw").class_name(), "AdamW");
    EXPECT_EQ(Optimizer("rmsprop").learning_rate(), 0.001);
    try {
        Optimizer("lion");
        FAIL() << "there is no lion";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(),
                     "no optimizer is called \"lion\"; there are: sgd, adam, adamw, nadam, adamax, rmsprop, adagrad, "
                     "adadelta, muon");
    }
    EXPECT_STREQ(Optimizer("nadam").class_name(), "Nadam");
    EXPECT_STREQ(Optimizer("adamax").class_name(), "Adamax");
    EXPECT_STREQ(Optimizer("adagrad").class_name(), "Adagrad");
    EXPECT_STREQ(Optimizer("adadelta").class_name(), "Adadelta");
    EXPECT_THROW(SGD({.nesterov = true}), Error);
    EXPECT_THROW(Adam({.beta_2 = 1}), Error);
    EXPECT_THROW(SGD({.learning_rate = -1}), Error);
    EXPECT_THROW(Nadam({.momentum_decay = 0}), Error);
    EXPECT_THROW(Adagrad({.initial_accumulator_value = -1}), Error);
    EXPECT_THROW(Adadelta({.rho = 1}), Error);
    EXPECT_THROW(SGD({.clip_norm = 1, .global_clip_norm = 1}), Error);
}

}  // namespace
}  // namespace heddle
