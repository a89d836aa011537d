#include <fmt/format.h>
#include <gtest/gtest-spi.h>

#include "ops/autograd/function.h"
#include "ops/elementwise.h"
#include "tests/ops/gradient_check.h"

namespace heddle {
namespace {

using gradients::check_gradients;
using gradients::Inputs;
using gradients::spread;
using gradients::uniform;
using ops::BinaryOp;
using ops::UnaryOp;

TEST(GradientCheck, FindsAWrongGradient) {
    const auto square = [](double slope) {
        return [slope](const Inputs& in) {
            return ops::custom(
                "square", in, [](const Inputs& x) { return x[0] * x[0]; },
                [slope](const Inputs& x, const Tensor&, const Tensor& dy) { return Inputs{x[0] * dy * slope}; });
        };
    };
    check_gradients("right", {uniform({3})}, square(2));
    EXPECT_NONFATAL_FAILURE(check_gradients("wrong", {uniform({3})}, square(2.0001)), "by differences");
}

// torch.maximum's and minimum's rule, whatever the other operand is.
TEST(GradientsElementwise, ATieOfMaximumAndMinimumIsSharedEqually) {
    for (const BinaryOp op : {BinaryOp::maximum, BinaryOp::minimum}) {
        const bool largest = op == BinaryOp::maximum;
        const std::vector<float> wanted{largest ? 0.0f : 1.0f, 0.5f, largest ? 1.0f : 0.0f};
        for (const int form : {0, 1, 2, 3}) {
            Tensor x = Tensor::from({1.0f, 2.0f, 3.0f}, Shape{3});
            x.set_requires_grad();
            const Tensor twos = Tensor::full(Shape{3}, 2);
            const Tensor y = form == 0   ? ops::binary(op, x, twos)
                             : form == 1 ? ops::binary(op, twos, x)
                                         : ops::binary(op, x, 2.0, form == 3);
            y.sum().backward();
            EXPECT_EQ(x.grad().to_vector<float>(), wanted) << form;
        }
    }
}

TEST(GradientsElementwise, BinaryWithEveryPatternOfBroadcasting) {
    const std::pair<BinaryOp, const char*> operations[] = {
        {BinaryOp::add, "add"},       {BinaryOp::subtract, "subtract"}, {BinaryOp::multiply, "multiply"},
        {BinaryOp::divide, "divide"}, {BinaryOp::maximum, "maximum"},   {BinaryOp::minimum, "minimum"},
        {BinaryOp::power, "power"},
    };
    const std::pair<Shape, Shape> shapes[] = {
        {{2, 3}, {2, 3}}, {{2, 3}, {3}},          {{2, 3}, {2, 1}}, {{2, 3}, {}},
        {{3}, {2, 3}},    {{2, 1, 3}, {1, 4, 1}}, {{1, 1}, {2, 3}}, {{4, 1, 2}, {3, 1}},
    };
    for (const auto& [op, name] : operations)
        for (const auto& [a, b] : shapes) {
            // Positive for powers and divisors; from different series, so that maxima are never close.
            const Tensor x = uniform(a, 0.5, 2, 3), y = uniform(b, 0.4, 1.9, 4);
            check_gradients(fmt::format("{} {} {}", name, a.to_string(), b.to_string()), {x, y},
                            [op = op](const Inputs& in) { return ops::binary(op, in[0], in[1]); });
        }
    check_gradients("one operand twice", {uniform({4}, 0.5, 2)},
                    [](const Inputs& in) { return in[0] * in[0] / (in[0] + 1.0) - ops::pow(in[0], in[0]); });
}

TEST(GradientsElementwise, Scalars) {
    for (const BinaryOp op : {BinaryOp::add, BinaryOp::subtract, BinaryOp::multiply, BinaryOp::divide,
                              BinaryOp::maximum, BinaryOp::minimum, BinaryOp::power})
        for (const bool first : {false, true})
            check_gradients(fmt::format("operation {}, scalar {}", static_cast<int>(op), first ? "first" : "second"),
                            {uniform({3, 4}, 0.5, 2.2)},
                            [=](const Inputs& in) { return ops::binary(op, in[0], 1.37, first); });
    check_gradients("cube of negative numbers", {uniform({5}, -2, -1)},
                    [](const Inputs& in) { return ops::pow(in[0], 3.0); });
    check_gradients("operators", {uniform({5}, 1, 2)}, [](const Inputs& in) {
        return 2.0 - in[0] + 3.0 / in[0] - (4.0 + in[0] * 0.5) * (1.5 * -in[0]) / 7.0;
    });
}

TEST(GradientsElementwise, UnaryOnBothSidesOfZero) {
    for (int op = 0; op <= static_cast<int>(UnaryOp::softsign); ++op) {
        const auto kind = static_cast<UnaryOp>(op);
        const bool positive = kind == UnaryOp::sqrt || kind == UnaryOp::rsqrt || kind == UnaryOp::log ||
                              kind == UnaryOp::log1p || kind == UnaryOp::reciprocal;
        const Tensor x = positive ? uniform({12}, 0.3, 4) : spread({12}) * 5.0;
        check_gradients(fmt::format("unary operation {}", op), {x},
                        [=](const Inputs& in) { return ops::unary(kind, in[0], 0.3f); });
    }
}

TEST(GradientsElementwise, WhereAndClip) {
    const Tensor condition = Tensor::from<std::uint8_t>({1, 0, 0, 1, 1, 0}, {2, 3}).to(DType::boolean);
    for (const auto& [a, b] : {std::pair<Shape, Shape>{{2, 3}, {2, 3}}, {{3}, {2, 1}}, {{}, {4, 2, 3}}})
        check_gradients("where", {uniform(a), uniform(b, -1, 1, 2)},
                        [&](const Inputs& in) { return ops::where(condition, in[0], in[1]); });
    check_gradients("clip", {spread({20})}, [](const Inputs& in) { return ops::clip(in[0], -0.52, 0.31); });
}

TEST(GradientsElementwise, ConversionsAndViews) {
    check_gradients("reshape, slice, row", {uniform({4, 3})}, [](const Inputs& in) {
        return in[0].slice(1, 3).reshape({3, 2}) * 2.0 + in[0][3].reshape({3, 1}) + in[0].flatten().slice(0, 2);
    });
    check_gradients("clone", {uniform({4})}, [](const Inputs& in) { return in[0].clone() * in[0]; });
    // Through f32: forward and difference would be rounded, so the gradient alone is looked at.
    Tensor x = uniform({3});
    x.set_requires_grad();
    (x.to(DType::f32) * 3.0).to(DType::f64).backward(Tensor::ones({3}, {DType::f64}));
    EXPECT_EQ(x.grad().dtype(), DType::f64);
    EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{3, 3, 3}));
}

TEST(GradientsElementwise, ATensorOfManyUsesSumsItsGradients) {
    check_gradients("many uses", {uniform({3, 2}, 0.5, 1)}, [](const Inputs& in) {
        const Tensor& x = in[0];
        return ops::exp(x) + ops::log(x) + ops::tanh(x) * x + ops::sigmoid(x * x);
    });
}

}  // namespace
}  // namespace heddle
