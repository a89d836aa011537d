#include "train/muon.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "ops/random.h"
#include "tests/core/scoped_env.h"
#include "train/optimizer_groups.h"

namespace heddle {
namespace {

using Matrix = std::vector<double>;  // row-major

Matrix product(const Matrix& a, const Matrix& b, std::size_t m, std::size_t k, std::size_t n,
               bool transpose_b = false) {
    Matrix c(m * n);
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j)
            for (std::size_t l = 0; l < k; ++l)
                c[i * n + j] += a[i * k + l] * (transpose_b ? b[j * k + l] : b[l * n + j]);
    return c;
}

double norm(const Matrix& a) {
    double squares = 0;
    for (const double value : a) squares += value * value;
    return std::sqrt(squares);
}

/// Newton-Schulz as the paper has it, without lying the matrix on its side.
Matrix orthogonal(const Matrix& u, std::size_t m, std::size_t n, const MuonOptions& options) {
    Matrix x = u;
    for (double& value : x) value /= norm(u) + 1e-7;
    const auto [a, b, c] = options.coefficients;
    for (int step = 0; step < options.newton_schulz_steps; ++step) {
        const Matrix first = product(x, x, m, n, m, true), second = product(first, first, m, m, m);
        Matrix polynomial(m * m);
        for (std::size_t i = 0; i < m * m; ++i) polynomial[i] = b * first[i] + c * second[i];
        const Matrix rest = product(polynomial, x, m, m, n);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = a * x[i] + rest[i];
    }
    return x;
}

/// Three steps on a weight of `shape`, here and in f64.
void compare(const Shape& shape, const MuonOptions& options) {
    set_seed(7);
    const auto rows = static_cast<std::size_t>(shape[0]);
    const std::size_t size = static_cast<std::size_t>(shape.elements()), columns = size / rows;
    Tensor parameter = ops::random_normal(shape);
    const std::vector<float> start = parameter.to_vector<float>();
    Matrix exact(start.begin(), start.end()), velocity(size);
    parameter.set_requires_grad();
    const Muon muon(options);
    for (int step = 0; step < 3; ++step) {
        const Tensor gradient = ops::random_normal(shape);
        parameter.set_grad(gradient);
        muon.step({{"w", parameter}});

        const std::vector<float> g = gradient.to_vector<float>();
        Matrix u(size);
        for (std::size_t i = 0; i < size; ++i) {
            velocity[i] = options.momentum * velocity[i] + g[i];
            u[i] = options.nesterov ? g[i] + options.momentum * velocity[i] : velocity[i];
        }
        const Matrix direction = orthogonal(u, rows, columns, options);
        const double rate = options.learning_rate.at(step), size_before = norm(exact);
        const double scale = std::sqrt(std::max(1.0, static_cast<double>(rows) / static_cast<double>(columns)));
        for (std::size_t i = 0; i < size; ++i) {
            if (options.normalize_weights) exact[i] *= std::sqrt(static_cast<double>(rows)) / size_before;
            exact[i] = exact[i] * (1 - rate * options.weight_decay) - rate * scale * direction[i];
        }
    }
    const std::vector<float> got = parameter.to_vector<float>();
    for (std::size_t i = 0; i < size; ++i) EXPECT_NEAR(got[i], exact[i], 2e-5) << shape.to_string() << " element " << i;
}

TEST(Muon, FollowsTheFormula) {
    compare(Shape{4, 6}, {});
    compare(Shape{5, 3}, {.nesterov = false});  // lies on its side
    compare(Shape{4, 3, 3, 2}, {.momentum = 0.6, .weight_decay = 0.1, .newton_schulz_steps = 3});
    compare(Shape{6, 3, 3, 4}, {.learning_rate = 0.24, .normalize_weights = true});
}

TEST(Muon, MatricesOfOneShapeInABatchMoveAsAlone) {
    set_seed(8);
    std::vector<Tensor> together, alone;
    const Muon batch({.learning_rate = 0.1});
    NamedTensors parameters;
    for (int i = 0; i < 3; ++i) {
        const Shape shape = i == 1 ? Shape{6, 4} : Shape{4, 6};
        Tensor parameter = ops::random_normal(shape), copy = parameter.clone();
        const Tensor gradient = ops::random_normal(shape);
        parameter.set_requires_grad();
        copy.set_requires_grad();
        parameter.set_grad(gradient);
        copy.set_grad(gradient);
        Muon({.learning_rate = 0.1}).step({{"w", copy}});
        parameters.emplace_back("w" + std::to_string(i), parameter);
        together.push_back(parameter);
        alone.push_back(copy);
    }
    batch.step(parameters);
    for (std::size_t i = 0; i < 3; ++i) {
        const std::vector<float> a = together[i].to_vector<float>(), b = alone[i].to_vector<float>();
        for (std::size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-6);
    }
}

TEST(Muon, RefusesVectors) {
    Tensor bias = Tensor::zeros(Shape{4});
    bias.set_requires_grad();
    bias.set_grad(Tensor::ones(Shape{4}));
    EXPECT_NE(testing::message_of<Error>([&] {
                  Muon().step({{"b", bias}});
              }).find("OptimizerGroups"),
              std::string::npos);
}

TEST(Muon, RefusesRulesThatAreNone) {
    const auto error = [](const MuonOptions& options) { return testing::message_of<Error>([&] { Muon{options}; }); };
    EXPECT_EQ(error({.learning_rate = -1}), "Muon: learning_rate must not be negative, got -1");
    EXPECT_EQ(error({.weight_decay = -0.5}), "Muon: weight_decay must not be negative, got -0.5");
    EXPECT_EQ(error({.clip_norm = 1, .global_clip_norm = 1}),
              "Muon: clip_norm and global_clip_norm exclude each other");
}

/// Parameters w (a matrix) and b with gradients of ones.
NamedTensors two_parameters() {
    NamedTensors result;
    for (const auto& [name, shape] : {std::pair{"fc.weight", Shape{2, 3}}, {"fc.bias", Shape{2}}}) {
        Tensor parameter = Tensor::ones(shape);
        parameter.set_requires_grad();
        parameter.set_grad(Tensor::ones(shape));
        result.emplace_back(name, parameter);
    }
    return result;
}

TEST(OptimizerGroups, EachParameterFollowsTheFirstGroupThatNamesIt) {
    const NamedTensors parameters = two_parameters();
    const OptimizerGroups groups({{{"*.bias"}, SGD({.learning_rate = 0.5})}, {{"*"}, SGD({.learning_rate = 0.25})}});
    groups.step(parameters);
    EXPECT_EQ(parameters[0].second.to_vector<float>(), std::vector<float>(6, 0.75f));
    EXPECT_EQ(parameters[1].second.to_vector<float>(), std::vector<float>(2, 0.5f));
    EXPECT_EQ(groups.learning_rate(), 0.5);
    EXPECT_EQ(groups.iterations(), 1);
}

TEST(OptimizerGroups, StateGoesOnWhereItWas) {
    const auto make = [] {
        return OptimizerGroups(
            {{{"*.weight"}, Muon({.learning_rate = LinearDecay({0.1, 10})})}, {{"*"}, Adam({.learning_rate = 0.01})}});
    };
    const NamedTensors unbroken = two_parameters(), resumed = two_parameters();
    const Optimizer whole = make(), first = make(), second = make();
    for (int step = 0; step < 4; ++step) whole.step(unbroken);
    for (int step = 0; step < 2; ++step) first.step(resumed);
    second.set_state(first.state(), resumed);
    for (int step = 0; step < 2; ++step) second.step(resumed);
    for (std::size_t i = 0; i < 2; ++i)
        EXPECT_EQ(unbroken[i].second.to_vector<float>(), resumed[i].second.to_vector<float>());
    EXPECT_EQ(second.iterations(), 4);
    EXPECT_THROW(Adam().set_state(first.state(), resumed), Error);
}

TEST(OptimizerGroups, LossScalingSkipsAllGroupsTogether) {
    const NamedTensors parameters = two_parameters();
    const OptimizerGroups groups({{{"*.bias"}, SGD({.learning_rate = 0.5})}, {{"*"}, Muon({.learning_rate = 0.25})}});
    groups.set_loss_scaling(true);
    parameters[1].second.set_grad(Tensor::full(Shape{2}, INFINITY));
    groups.step(parameters);
    EXPECT_EQ(parameters[0].second.to_vector<float>(), std::vector<float>(6, 1.0f));
    EXPECT_EQ(parameters[1].second.to_vector<float>(), std::vector<float>(2, 1.0f));
    EXPECT_EQ(groups.loss_scale(), 32768);
}

TEST(OptimizerGroups, SaysWhatDoesNotFit) {
    const NamedTensors parameters = two_parameters();
    const auto message = [&](std::vector<OptimizerGroup> groups) {
        return testing::message_of<Error>([&] { OptimizerGroups(std::move(groups)).step(parameters); });
    };
    EXPECT_NE(message({{{"*.bias"}, "sgd"}}).find("\"fc.weight\""), std::string::npos);
    EXPECT_NE(message({{{"*"}, "sgd"}, {{"conv*"}, "adam"}}).find("conv*"), std::string::npos);
    EXPECT_NE(message({}).find("at least one group"), std::string::npos);
    EXPECT_THROW(OptimizerGroups(std::vector<OptimizerGroup>{{{"*"}, "sgd"}}).set_learning_rate(1), Error);
}

}  // namespace
}  // namespace heddle
