#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "core/error.h"
#include "core/print.h"
#include "ops/attention.h"
#include "ops/conv.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/rnn.h"
#include "ops/softmax.h"

// What the functions promise beyond their numbers (those are in pytorch_test.cpp): types, places, edges, empty tensors.
namespace heddle {
namespace {

using namespace ops;
using Floats = std::vector<float>;
using Integers = std::vector<std::int64_t>;

Tensor f32(std::initializer_list<float> values) {
    return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

TEST(OpsValues, MixedTypesArePromoted) {
    const Tensor integers = Tensor::arange(3);
    EXPECT_EQ((integers + f32({0.5f, 0.5f, 0.5f})).dtype(), DType::f32);
    EXPECT_EQ((integers + integers.to(DType::i32)).dtype(), DType::i64);
    EXPECT_EQ((f32({1}) * Tensor::ones({1}, {DType::f64})).dtype(), DType::f64);
    EXPECT_EQ((integers * 2.0).dtype(), DType::i64);  // a scalar takes the tensor's type
    EXPECT_EQ(less(integers, Tensor::arange(3)).dtype(), DType::boolean);
    EXPECT_EQ(where(less(f32({1, 3}), f32({2, 2})), Tensor::arange(2), f32({0.5f, 1.5f})).to_vector<float>(),
              (Floats{0, 1.5f}));
}

TEST(OpsValues, FunctionsAreTheOperationsOfTheirNames) {
    const std::map<std::string, Tensor (*)(const Tensor&)> unary_functions{
        {"abs", ops::abs},     {"sign", ops::sign},   {"square", ops::square},   {"sqrt", ops::sqrt},
        {"rsqrt", ops::rsqrt}, {"exp", ops::exp},     {"expm1", ops::expm1},     {"log", ops::log},
        {"log1p", ops::log1p}, {"sin", ops::sin},     {"cos", ops::cos},         {"floor", ops::floor},
        {"ceil", ops::ceil},   {"round", ops::round}, {"erf", ops::erf},         {"relu", ops::relu},
        {"tanh", ops::tanh},   {"gelu", ops::gelu},   {"sigmoid", ops::sigmoid}, {"silu", ops::silu},
        {"softplus", softplus}};
    const Tensor x = f32({0.25f, 0.5f, 1.75f}), y = f32({0.5f, 0.5f, 0.5f});
    std::size_t found = 0;
    for (std::size_t i = 0; i < unary_op_names().size(); ++i) {
        const auto function = unary_functions.find(unary_op_names()[i]);
        if (function == unary_functions.end()) continue;
        ++found;
        EXPECT_EQ(function->second(x).to_vector<float>(), unary(static_cast<UnaryOp>(i), x).to_vector<float>())
            << function->first;
    }
    EXPECT_EQ(found, unary_functions.size());

    using Bits = std::vector<std::uint8_t>;
    const auto bits = [](const Tensor& t) { return t.to_vector<std::uint8_t>(); };
    EXPECT_EQ(bits(equal(x, y)), (Bits{0, 1, 0}));
    EXPECT_EQ(bits(not_equal(x, y)), (Bits{1, 0, 1}));
    EXPECT_EQ(bits(less(x, y)), (Bits{1, 0, 0}));
    EXPECT_EQ(bits(less_equal(x, y)), (Bits{1, 1, 0}));
    EXPECT_EQ(bits(greater(x, y)), (Bits{0, 0, 1}));
    EXPECT_EQ(bits(greater_equal(x, y)), (Bits{0, 1, 1}));
    EXPECT_EQ(bits(equal(x, 0.5)), (Bits{0, 1, 0}));
    EXPECT_EQ(bits(not_equal(x, 0.5)), (Bits{1, 0, 1}));
    EXPECT_EQ(bits(less(x, 0.5)), (Bits{1, 0, 0}));
    EXPECT_EQ(bits(less_equal(x, 0.5)), (Bits{1, 1, 0}));
    EXPECT_EQ(bits(greater(x, 0.5)), (Bits{0, 0, 1}));
    EXPECT_EQ(bits(greater_equal(x, 0.5)), (Bits{0, 1, 1}));
    EXPECT_EQ(bits(logical_and(greater(x, 0.3), less(x, 1))), (Bits{0, 1, 0}));
    EXPECT_EQ(bits(logical_or(less(x, 0.3), greater(x, 1))), (Bits{1, 0, 1}));
    EXPECT_EQ(maximum(x, 0.5).to_vector<float>(), (Floats{0.5f, 0.5f, 1.75f}));
    EXPECT_EQ(minimum(x, 0.5).to_vector<float>(), (Floats{0.25f, 0.5f, 0.5f}));
}

TEST(OpsValues, PrintsOnAStream) {
    std::ostringstream out;
    out << f32({1, 2.5f}) << "; " << Shape{2, 3} << "; " << DType::bf16 << "; " << Device::cpu() << "; " << Tensor();
    EXPECT_EQ(out.str(), "Tensor f32 [2] cpu {1, 2.5}; [2, 3]; bf16; cpu; Tensor undefined");
    EXPECT_EQ(Tensor::arange(100).reshape({10, 10}).to_string(), "Tensor i64 [10, 10] cpu {0, 1, 2, ..., 97, 98, 99}");
}

TEST(OpsValues, MemoryOfTheCallersIsWrapped) {
    std::vector<float> memory{1, 2, 3, 4, 5, 6};
    int released = 0;
    {
        const Tensor x = Tensor::from_blob(memory.data(), Shape{2, 3}, {}, [&] { ++released; });
        EXPECT_EQ(x.data<float>(), memory.data());
        EXPECT_EQ(x.sum(1).to_vector<float>(), (Floats{6, 15}));
        x.fill_(7);
        const Tensor row = x[1];
        EXPECT_EQ(released, 0);
    }
    EXPECT_EQ(released, 1);
    EXPECT_EQ(memory, Floats(6, 7));
}

TEST(OpsValues, GradientsComeBackInTheTypeOfTheirTensor) {
    Tensor a = f32({1, 2}), b = Tensor::ones({2}, {DType::f64}) * 3.0;
    a.set_requires_grad();
    b.set_requires_grad();
    (a * b).sum().backward();
    EXPECT_EQ(a.grad().dtype(), DType::f32);
    EXPECT_EQ(b.grad().dtype(), DType::f64);
    EXPECT_EQ(a.grad().to_vector<float>(), (Floats{3, 3}));
    EXPECT_EQ(b.grad().to_vector<float>(), (Floats{1, 2}));
}

// The square of these divisors is not among the numbers of f32.
TEST(OpsValues, GradientsOfQuotientsReachAsFarAsTheNumbers) {
    for (const float divisor : {1e20f, 1e-20f}) {
        Tensor a = f32({divisor}), b = f32({divisor}), c = f32({divisor});
        for (Tensor* tensor : {&a, &b, &c}) tensor->set_requires_grad();
        (a / b).sum().backward();
        EXPECT_FLOAT_EQ(a.grad().to_vector<float>()[0], 1 / divisor);
        EXPECT_FLOAT_EQ(b.grad().to_vector<float>()[0], -1 / divisor);
        (static_cast<double>(divisor) / c).sum().backward();
        EXPECT_FLOAT_EQ(c.grad().to_vector<float>()[0], -1 / divisor);
    }
}

TEST(OpsValues, ClipPassesTheGradientOnItsBounds) {
    Tensor x = f32({-2, -1, 0, 1, 2});
    x.set_requires_grad();
    clip(x, -1, 1).sum().backward();
    EXPECT_EQ(x.grad().to_vector<float>(), (Floats{0, 1, 1, 1, 0}));
}

TEST(OpsValues, NotANumberIsHandedOn) {
    const Tensor x = f32({1, NAN, 3});
    EXPECT_TRUE(std::isnan(relu(x).to_vector<float>()[1]));
    EXPECT_TRUE(std::isnan(ops::max(x).item()));
    EXPECT_TRUE(std::isnan(maximum(x, f32({2, 2, 2})).to_vector<float>()[1]));
    EXPECT_TRUE(std::isnan(clip(x, 0, 1).to_vector<float>()[1]));
    EXPECT_EQ(argmax(x).item(), 1);
}

TEST(OpsValues, ArgReductionsTakeTheFirstOfEqualOnes) {
    const Tensor x = Tensor::from<float>({1, 5, 5, 0, 0, 2}, {2, 3});
    EXPECT_EQ(argmax(x, 1).to_vector<std::int64_t>(), (Integers{1, 2}));
    EXPECT_EQ(argmin(x, 1).to_vector<std::int64_t>(), (Integers{0, 0}));
    EXPECT_EQ(argmax(x, 0, true).shape(), (Shape{1, 3}));
    const auto [values, places] = topk(f32({2, 7, 7, 1}), 3);
    EXPECT_EQ(values.to_vector<float>(), (Floats{7, 7, 2}));
    EXPECT_EQ(places.to_vector<std::int64_t>(), (Integers{1, 2, 0}));
}

TEST(OpsValues, VarianceDoesNotCancel) {
    // Far from 0: the mean of squares less the square of the mean would be nonsense.
    const Tensor x = Tensor::from<float>({10000.0f, 10001.0f, 10002.0f, 10003.0f}, {2, 2});
    EXPECT_NEAR(ops::variance(x).item(), 1.25, 1e-6);
    EXPECT_NEAR(ops::std(x).item(), std::sqrt(1.25), 1e-6);
    EXPECT_EQ(ops::variance(x, {0}).to_vector<float>(), (std::vector<float>{1, 1}));
    EXPECT_EQ(ops::variance(x, {-1}, true).shape(), (Shape{2, 1}));
    EXPECT_EQ(ops::std(x, {1}).to_vector<float>(), (std::vector<float>{0.5f, 0.5f}));
    // 16 bits: computed in 32, where the squares would be infinite.
    const Tensor far = Tensor::from<float>({-3000, 3000}, {2}).to(DType::f16);
    EXPECT_EQ(ops::std(far).dtype(), DType::f16);
    EXPECT_EQ(ops::std(far).item(), 3000);
    EXPECT_THROW(ops::variance(Tensor::arange(3)), Error);
}

TEST(OpsValues, SlicesCountFromTheEndAndAreClamped) {
    const Tensor x = f32({0, 1, 2, 3, 4});
    EXPECT_EQ(ops::slice(x, {{-2}}).to_vector<float>(), (Floats{3, 4}));
    EXPECT_EQ(ops::slice(x, {{1, -1, 2}}).to_vector<float>(), (Floats{1, 3}));
    EXPECT_EQ(ops::slice(x, {{-100, 100}}).to_vector<float>(), (Floats{0, 1, 2, 3, 4}));
    EXPECT_EQ(ops::slice(x, {{4, 2}}).elements(), 0);
    EXPECT_EQ(flip(x, 0).to_vector<float>(), (Floats{4, 3, 2, 1, 0}));
}

TEST(OpsValues, CopiesWorkForEveryType) {
    for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::i64, DType::u8}) {
        const Tensor x = Tensor::arange(6).to(dtype).reshape({2, 3});
        EXPECT_EQ(permute(x, {1, 0}).to_vector<float>(), (Floats{0, 3, 1, 4, 2, 5}));
        EXPECT_EQ(stack(std::vector{x, x}).shape(), (Shape{2, 2, 3}));
        EXPECT_EQ(gather(x, Tensor::from<std::int32_t>({2, 2}, {2}), 1).to_vector<float>(), (Floats{2, 2, 5, 5}));
        EXPECT_EQ(broadcast_to(x[0], {2, 3}).to_vector<float>(), (Floats{0, 1, 2, 0, 1, 2}));
    }
}

TEST(OpsValues, DropoutInInferenceIsTheInputItself) {
    const Tensor x = Tensor::ones({1000});
    EXPECT_TRUE(dropout(x, 0.5f, false).is_same(x));
    EXPECT_TRUE(dropout(x, 0, true).is_same(x));
    Generator one(3), other(3);
    const Floats a = dropout(x, 0.25f, true, one).to_vector<float>(),
                 b = dropout(x, 0.25f, true, other).to_vector<float>(),
                 c = dropout(x, 0.25f, true, one).to_vector<float>();
    EXPECT_EQ(a, b);  // one state, one mask
    EXPECT_NE(a, c);  // the next call, the next mask
    std::size_t dropped = 0;
    for (const float value : a) {
        EXPECT_TRUE(value == 0 || std::abs(value - 1 / 0.75f) < 1e-6f);
        dropped += value == 0;
    }
    EXPECT_NEAR(static_cast<double>(dropped), 250, 60);
}

TEST(OpsValues, LossesOfExtremeLogitsAreFinite) {
    Tensor logits = Tensor::from<float>({1e4f, -1e4f, 0, 0, 1e4f, -1e4f}, {2, 3});
    logits.set_requires_grad();
    const Tensor loss = cross_entropy(logits, Tensor::from<std::int32_t>({1, 1}, {2}));
    EXPECT_FLOAT_EQ(static_cast<float>(loss.item()), 1e4f);  // 20000 for the first row, 0 for the second
    loss.backward();
    EXPECT_EQ(logits.grad().to_vector<float>(), (Floats{0.5f, -0.5f, 0, 0, 0, 0}));
    EXPECT_EQ(binary_cross_entropy(f32({1e4f, -1e4f}), f32({1, 0})).item(), 0);
    EXPECT_FLOAT_EQ(static_cast<float>(binary_cross_entropy(f32({0, 1}), f32({1, 1}), false).item()),
                    static_cast<float>(-std::log(1e-7) / 2));
}

TEST(OpsValues, IgnoredRowsCountForNothing) {
    Tensor logits = Tensor::from<float>({1, 2, 3, 4, 0, 0}, {3, 2});
    logits.set_requires_grad();
    const Tensor all = cross_entropy(logits, Tensor::from<std::int32_t>({0, -100, -100}, {3}), {.ignore_index = -100});
    const Tensor first = cross_entropy(logits.slice(0, 1), Tensor::from<std::int32_t>({0}, {1}));
    EXPECT_EQ(all.item(), first.item());
    all.backward();
    const Floats gradient = logits.grad().to_vector<float>();
    EXPECT_NE(gradient[0], 0);
    for (std::size_t i = 2; i < 6; ++i) EXPECT_EQ(gradient[i], 0);
}

TEST(OpsValues, BatchNormMovesItsRunningStatistics) {
    const Tensor x = Tensor::from<float>({1, 3, 5, 7}, {4, 1}), mean = Tensor::zeros({1}), variance = Tensor::ones({1});
    batch_norm(x, {}, {}, mean, variance, true, {.momentum = 0.5f});
    EXPECT_FLOAT_EQ(mean.data<float>()[0], 2);      // half of 4
    EXPECT_FLOAT_EQ(variance.data<float>()[0], 3);  // half of 1 and half of 5
    batch_norm(x, {}, {}, mean, variance, true, {.momentum = 1, .unbiased_running_variance = true});
    EXPECT_FLOAT_EQ(variance.data<float>()[0], 20.0f / 3);
    batch_norm(x, {}, {}, mean, variance, false);
    EXPECT_FLOAT_EQ(mean.data<float>()[0], 4);  // inference leaves them alone
}

TEST(OpsValues, EmptyBatchesPassThroughForwardAndBackward) {
    const auto leaf = [](const Shape& shape) {
        Tensor tensor = Tensor::ones(shape);
        tensor.set_requires_grad();
        return tensor;
    };
    const Tensor x = leaf({0, 4, 4, 3}), w = leaf({2, 3, 3, 3}), bias = leaf({2}), dense = leaf({5, 8});
    Tensor y = conv2d(x, w, bias, {.padding = {1, 1, 1, 1}}, FusedActivation::relu);
    y = batch_norm(y, {}, {}, Tensor::zeros({2}), Tensor::ones({2}), false);
    y = max_pool2d(y) + avg_pool2d(relu(y));
    y = softmax(linear(y.reshape({0, 8}), dense) * 2.0);
    EXPECT_EQ(y.shape(), (Shape{0, 5}));
    const Tensor total = sum(concat(std::vector{y, dropout(y, 0.5f, true)}, 0));
    EXPECT_EQ(total.item(), 0);
    total.backward();
    EXPECT_EQ(x.grad().shape(), x.shape());
    EXPECT_EQ(w.grad().to_vector<float>(), Floats(54, 0.0f));
    EXPECT_EQ(bias.grad().to_vector<float>(), Floats(2, 0.0f));
    EXPECT_EQ(dense.grad().to_vector<float>(), Floats(40, 0.0f));
    for (const RnnCell cell : {RnnCell::tanh, RnnCell::lstm, RnnCell::gru}) {
        const std::int64_t width = kernels::gate_count(cell) * 3;
        const Tensor input = leaf({width, 2}), hidden = leaf({width, 3}), bias_input = leaf({width});
        rnn(cell, Tensor::ones({0, 4, 2}), {input, hidden, bias_input}).y.sum().backward();
        for (const Tensor& weights : {input, hidden, bias_input})
            EXPECT_EQ(weights.grad().to_vector<float>(), Floats(static_cast<std::size_t>(weights.elements()), 0.0f));
    }
}

TEST(OpsValues, AttentionHasThePrecisionOfItsType) {
    // 1 / sqrt(3) as a float is off by 1e-8.
    const auto operand = [](std::int64_t time) { return random_normal({2, time, 2, 3}, 0, 1, {DType::f64}); };
    const Tensor query = operand(4), key = operand(5), value = operand(5);
    const Floats difference =
        abs(attention(query, key, value).output - attention(query, key, value, {.weights = false}).output)
            .to_vector<float>();
    EXPECT_LT(*std::max_element(difference.begin(), difference.end()), 1e-14f);
}

TEST(OpsValues, ProductsOverNothingAreZero) {
    Tensor a = Tensor::ones({2, 0}), b = Tensor::ones({0, 3});
    a.set_requires_grad();
    b.set_requires_grad();
    const Tensor c = matmul(a, b);
    EXPECT_EQ(c.to_vector<float>(), Floats(6, 0.0f));
    c.sum().backward();
    EXPECT_EQ(a.grad().shape(), a.shape());
    // No products, and the gradient of an operand without elements that serves several.
    EXPECT_EQ(matmul(Tensor::ones({0, 2, 64, 65}), Tensor::ones({0, 2, 65, 33})).shape(), (Shape{0, 2, 64, 33}));
    const Tensor batch = Tensor::ones({5, 4, 2});
    matmul(batch, a).sum().backward();
    EXPECT_EQ(a.grad().shape(), a.shape());
    EXPECT_EQ(sum(Tensor::zeros({0, 3}), {0}).to_vector<float>(), Floats(3, 0.0f));
    EXPECT_TRUE(std::isnan(mean(Tensor::zeros({0})).item()));
}

}  // namespace
}  // namespace heddle
