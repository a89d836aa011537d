#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/error.h"
#include "core/random.h"
#include "core/stream.h"
#include "ops/attention.h"
#include "ops/autograd/grad_mode.h"
#include "ops/conv.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "tests/devices.h"

// Every kind of operation through the tape, on a device and on the CPU: values and gradients agree.
namespace {

using namespace heddle;
using namespace heddle::ops;

using Tensors = std::vector<Tensor>;

struct Example {
    const char* name;
    std::vector<Shape> inputs;
    std::function<Tensor(const Tensors&)> function;
    double tolerance = 2e-5;
};

const std::vector<Example>& examples() {
    static const auto& list = *new std::vector<Example>{
        {"arithmetic", {{3, 5}, {5}}, [](const Tensors& x) { return (x[0] + x[1]) * x[0] / (square(x[1]) + 1.0); }},
        {"activations",
         {{4, 7}},
         [](const Tensors& x) { return relu(x[0]) + gelu(x[0]) + tanh(x[0]) + sigmoid(x[0]); }},
        {"where",
         {{6, 3}, {6, 3}},
         [](const Tensors& x) { return where(greater(x[0], x[1]), x[0], clip(x[1], -1, 1)); }},
        {"reductions", {{4, 5, 6}}, [](const Tensors& x) { return sum(x[0], {1}) * mean(x[0], {1}) + max(x[0], {1}); }},
        {"topk", {{5, 9}}, [](const Tensors& x) { return topk(x[0], 3).first; }},
        {"permute",
         {{3, 4, 5}},
         [](const Tensors& x) {
             return permute(x[0], {2, 0, 1}) * 2.0;
         }},
        {"concat and slice",
         {{3, 4}, {3, 2}},
         [](const Tensors& x) {
             const Tensor both = concat(x, 1);
             return slice(both, {{}, {1, 5}}) * slice(both, {{}, {0, 4}});
         }},
        {"attention",
         {{2, 5, 2, 4}, {2, 6, 2, 4}, {2, 6, 2, 3}},
         [](const Tensors& x) { return attention(x[0], x[1], x[2], {.causal = true, .weights = false}).output; }},
        {"attention with dropout",
         {{2, 70, 2, 8}, {2, 75, 2, 8}, {2, 75, 2, 3}},
         [](const Tensors& x) {
             set_seed(4);
             return attention(x[0], x[1], x[2], {.causal = true, .dropout = 0.3f, .weights = false}).output;
         },
         1e-4},
        {"gather",
         {{7, 3}},
         [](const Tensors& x) {
             return gather(x[0],
                           Tensor::from({std::int64_t{2}, std::int64_t{2}, std::int64_t{6}}, Shape{3}, x[0].device()));
         }},
        {"softmax", {{5, 11}}, [](const Tensors& x) { return softmax(x[0]) + log_softmax(x[0]); }},
        {"matmul", {{2, 5, 7}, {2, 7, 3}}, [](const Tensors& x) { return matmul(x[0], x[1]); }},
        {"linear",
         {{6, 10}, {4, 10}, {4}},
         [](const Tensors& x) { return linear(x[0], x[1], x[2], FusedActivation::relu); }},
        {"convolution",
         {{2, 9, 8, 4}, {6, 3, 3, 4}, {6}},
         [](const Tensors& x) {
             return conv2d(x[0], x[1], x[2], {.stride = {2, 1}, .padding = {1, 0, 1, 1}}, FusedActivation::relu);
         }},
        {"batch norm",
         {{3, 4, 4, 6}, {6}, {6}},
         [](const Tensors& x) {
             return batch_norm(x[0], x[1], x[2], Tensor(), Tensor(), true, {.activation = FusedActivation::relu});
         },
         1e-4},
        {"batch norm and max pooling",
         {{3, 9, 8, 6}, {6}, {6}},
         [](const Tensors& x) {
             return batch_norm_max_pool2d(x[0], x[1], x[2], Tensor(), Tensor(), {.activation = FusedActivation::relu},
                                          {.kernel = {3, 3}, .padding = {1, 1, 1, 1}});
         },
         1e-4},
        {"layer norm", {{3, 4, 6}, {6}, {6}}, [](const Tensors& x) { return layer_norm(x[0], x[1], x[2]); }, 1e-4},
        {"cross-entropy",
         {{8, 5}},
         [](const Tensors& x) {
             std::vector<std::int64_t> labels{0, 1, 2, 3, 4, 0, 1, 2};
             return cross_entropy(x[0], Tensor::from(labels, Shape{8}, x[0].device()), {.label_smoothing = 0.1f});
         }},
        {"squared error", {{6, 2}, {6, 2}}, [](const Tensors& x) { return mean_squared_error(x[0], x[1]); }},
    };
    return list;
}

struct Results {
    std::vector<std::vector<float>> values;  // the output, then each input's gradient
};

Results compute(const Example& example, Device device, StreamId forward = 0, StreamId backward = 0) {
    Generator generator(17);
    Tensors inputs;
    for (const Shape& shape : example.inputs) {
        Tensor input = random_normal(shape, 0, 1, {}, generator).to(device);
        input.set_requires_grad();
        inputs.push_back(input);
    }
    Tensor y, loss;
    {
        const StreamGuard guard(device, forward);
        y = example.function(inputs);
        loss = (y * random_normal(y.shape(), 0, 1, {}, generator).to(device)).sum();
    }
    {
        const StreamGuard guard(device, backward);
        loss.backward();
    }
    Results results{{y.to_vector<float>()}};
    for (const Tensor& input : inputs) results.values.push_back(input.grad().to_vector<float>());
    return results;
}

void expect_close(const Results& wanted, const Results& got, const Example& example) {
    ASSERT_EQ(wanted.values.size(), got.values.size());
    for (std::size_t k = 0; k < wanted.values.size(); ++k) {
        ASSERT_EQ(wanted.values[k].size(), got.values[k].size()) << example.name;
        for (std::size_t i = 0; i < wanted.values[k].size(); ++i)
            ASSERT_NEAR(wanted.values[k][i], got.values[k][i],
                        example.tolerance * std::max(1.0f, std::abs(wanted.values[k][i])))
                << example.name << ", " << (k == 0 ? "value" : "gradient") << ", element " << i;
    }
}

class DeviceOps : public testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceOps);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceOps, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

TEST_P(DeviceOps, ValuesAndGradientsMatchTheCpu) {
    for (const Example& example : examples()) expect_close(compute(example, {}), compute(example, GetParam()), example);
}

// With HEDDLE_SIM_STREAMS=latest the gradient's kernels run first unless they wait for all that the forward pass wrote.
TEST_P(DeviceOps, BackwardMayRunOnAnotherStream) {
    const Device device = GetParam();
    const StreamId forward = scheduler(device).create(), backward = scheduler(device).create();
    for (const Example& example : examples())
        expect_close(compute(example, device), compute(example, device, forward, backward), example);
}

// Labels and indices that are none, far beyond what belongs to the operands: on a device they make NaN, in their own
// rows only, and no address.
constexpr std::int64_t far = std::int64_t{1} << 40;

TEST_P(DeviceOps, ABadLabelMakesItsRowNaN) {
    const std::vector<std::int64_t> good{0, 1, 2, 3, 0}, bad{0, -far, 2, far, -1};
    for (const bool from_logits : {true, false}) {
        Generator generator(17);
        const Tensor x = random_uniform(Shape{5, 4}, 0.1, 1, {}, generator);
        const auto results = [&](const std::vector<std::int64_t>& labels) {
            Tensor logits = x.to(GetParam());
            logits.set_requires_grad();
            const Tensor loss = cross_entropy(logits, Tensor::from(labels, Shape{5}, GetParam()),
                                              {.from_logits = from_logits, .reduction = Reduction::none});
            loss.sum().backward();
            return std::pair(loss.to_vector<float>(), logits.grad().to_vector<float>());
        };
        const auto [wanted, wanted_gradient] = results(good);
        const auto [loss, gradient] = results(bad);
        for (std::size_t row = 0; row < 5; ++row) {
            const bool same = good[row] == bad[row];
            EXPECT_TRUE(same ? loss[row] == wanted[row] : std::isnan(loss[row])) << row << ": " << loss[row];
            for (std::size_t k = row * 4; k < row * 4 + 4; ++k)
                EXPECT_TRUE(same ? gradient[k] == wanted_gradient[k] : std::isnan(gradient[k]))
                    << row << ": " << gradient[k];
        }
    }
}

TEST_P(DeviceOps, ABadIndexGathersNaNOrZero) {
    const std::vector<std::int64_t> places{2, far, 0, -far, 2};
    const Tensor indices = Tensor::from(places, Shape{5}, GetParam());
    const auto expect = [&](float value, std::size_t i, float wanted, DType dtype) {
        if (places[i] >= 0 && places[i] < 3)
            EXPECT_EQ(value, wanted) << i;
        else
            EXPECT_TRUE(is_floating(dtype) ? std::isnan(value) : value == 0) << i << ": " << value;
    };
    for (const DType dtype : {DType::f32, DType::bf16, DType::i32}) {
        const Tensor table = Tensor::arange(24).reshape(Shape{3, 8}).to(dtype).to(GetParam());
        const Tensor numbers = Tensor::arange(3).to(dtype).to(GetParam());
        const std::vector<float> rows = gather(table, indices).to_vector<float>(),
                                 columns = gather(table.transpose(), indices, 1).to_vector<float>(),
                                 along = take_along(numbers, indices).to_vector<float>();
        for (std::size_t i = 0; i < 5; ++i) {
            const auto place = static_cast<float>(places[i]);
            expect(along[i], i, place, dtype);
            for (std::size_t k = 0; k < 8; ++k) {
                expect(rows[i * 8 + k], i, place * 8 + static_cast<float>(k), dtype);
                expect(columns[k * 5 + i], i, place * 8 + static_cast<float>(k), dtype);
            }
        }
    }
    EXPECT_EQ(one_hot(indices, 3).to_vector<float>(),
              (std::vector<float>{0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}));
}

TEST_P(DeviceOps, ABadIndexGetsNoGradient) {
    const Tensor indices =
        Tensor::from({std::int64_t{2}, far, std::int64_t{0}, -far, std::int64_t{2}}, Shape{5}, GetParam());
    for (const bool along : {true, false}) {
        Tensor x = Tensor::ones(along ? Shape{3} : Shape{3, 1}, {DType::f32, GetParam()});
        x.set_requires_grad();
        (along ? take_along(x, indices) : embedding(x, indices)).sum().backward();
        EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{1, 0, 2}));
    }
}

TEST_P(DeviceOps, RandomBitsAreTheCpus) {
    for (const bool masked : {false, true}) {
        Generator a(3), b(3);
        const Tensor ones = Tensor::ones(Shape{1001});
        const auto draw = [&](Device device, Generator& generator) {
            return (masked ? dropout(ones.to(device), 0.3f, true, generator)
                           : random_uniform(Shape{1001}, 0, 1, {DType::f32, device}, generator))
                .to_vector<float>();
        };
        EXPECT_EQ(draw({}, a), draw(GetParam(), b));
    }
}

TEST_P(DeviceOps, OperandsOnTwoDevicesAreRefused) {
    const Tensor here = Tensor::ones(Shape{2}), there = here.to(GetParam());
    EXPECT_THROW(here + there, Error);
    EXPECT_THROW(static_cast<void>(there.data<float>()), Error);
}

TEST_P(DeviceOps, EveryOperandOfAnOperationIsAskedWhereItLies) {
    const Device here = GetParam(), cpu = Device::cpu();
    const auto numbers = [](const Shape& shape, Device device) { return Tensor::ones(shape).to(device); };
    const auto indices = [](const Shape& shape, Device device) {
        return Tensor::zeros(shape, {DType::i64}).to(device);
    };
    const auto flags = [](const Shape& shape, Device device) {
        return Tensor::ones(shape, {DType::boolean}).to(device);
    };
    for (const auto& [a, b] : {std::pair(cpu, here), std::pair(here, cpu)}) {
        const Tensor x = numbers({4, 3}, a), picture = numbers({1, 4, 4, 2}, a), w = numbers({3, 1, 1, 2}, a),
                     heads = numbers({1, 2, 1, 4}, a), bias = numbers({3}, b);
        EXPECT_THROW(where(flags({4, 3}, b), x, x), Error);
        EXPECT_THROW(gather(x, indices({2}, b)), Error);
        EXPECT_THROW(take_along(x, indices({4, 2}, b)), Error);
        EXPECT_THROW(attention(heads, heads, heads, {.mask = flags({1, 2}, b), .weights = false}), Error);
        EXPECT_THROW(conv2d(picture, w, bias), Error);
        EXPECT_THROW(linear(x, numbers({3, 3}, a), bias), Error);
        EXPECT_THROW(batch_norm(x, {}, {}, {}, {}, true, {}, numbers({4, 3}, b)), Error);
        EXPECT_THROW(cross_entropy(x, indices({4}, b)), Error);
        EXPECT_THROW(mean_squared_error(x, numbers({4, 3}, b)), Error);
    }
}

TEST_P(DeviceOps, CastsRoundToNearestEven) {
    const Tensor x = Tensor::from({1.0f, 1.00390625f, 1.01171875f, -0.1f, 65504.0f}, Shape{5});
    for (const DType dtype : {DType::f16, DType::bf16, DType::i32, DType::boolean})
        EXPECT_EQ(x.to(dtype).to_vector<float>(), x.to(GetParam()).to(dtype).to_vector<float>()) << to_string(dtype);
}

}  // namespace
