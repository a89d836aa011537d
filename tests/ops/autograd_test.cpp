#include <gtest/gtest.h>

#include "core/error.h"
#include "ops/autograd/function.h"
#include "ops/autograd/grad_mode.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linear.h"

namespace heddle {
namespace {

Tensor leaf(std::initializer_list<float> values, const Shape& shape) {
    Tensor tensor = Tensor::from(values, shape);
    tensor.set_requires_grad();
    return tensor;
}

std::vector<float> gradient(const Tensor& tensor) { return tensor.grad().to_vector<float>(); }

TEST(Autograd, SumOfProducts) {
    const Tensor a = leaf({1, 2, 3}, {3}), b = leaf({4, 5, 6}, {3});
    (a * b).sum().backward();
    EXPECT_EQ(gradient(a), (std::vector<float>{4, 5, 6}));
    EXPECT_EQ(gradient(b), (std::vector<float>{1, 2, 3}));
}

TEST(Autograd, TensorUsedTwiceAccumulates) {
    const Tensor x = leaf({3}, {1});
    const Tensor y = x * x + x;  // 2x + 1
    y.sum().backward();
    EXPECT_EQ(gradient(x), std::vector<float>{7});
}

TEST(Autograd, DiamondOfSharedNodes) {
    const Tensor x = leaf({2}, {1});
    const Tensor a = x * 3.0;
    const Tensor y = a * a + a;  // 9 x^2 + 3 x -> 18 x + 3
    y.sum().backward();
    EXPECT_EQ(gradient(x), std::vector<float>{39});
}

TEST(Autograd, BackwardTwiceAccumulatesIntoLeaves) {
    const Tensor x = leaf({1, 2}, {2});
    (x * 2.0).sum().backward();
    (x * 5.0).sum().backward();
    EXPECT_EQ(gradient(x), (std::vector<float>{7, 7}));
    x.zero_grad();
    EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, AccumulatingDoesNotWriteThroughASharedGradient) {
    // add hands one dy to both inputs: accumulating into one gradient must leave the other alone.
    const Tensor a = leaf({1}, {1}), b = leaf({1}, {1});
    (a + b).sum().backward();
    (a * 10.0).sum().backward();
    EXPECT_EQ(gradient(a), std::vector<float>{11});
    EXPECT_EQ(gradient(b), std::vector<float>{1});
}

TEST(Autograd, GraphIsFreedUnlessRetained) {
    const Tensor x = leaf({2}, {1});
    const Tensor y = (x * x).sum();
    y.backward(Tensor(), true);
    y.backward();
    EXPECT_EQ(gradient(x), std::vector<float>{8});
    EXPECT_THROW(y.backward(), Error);
}

TEST(Autograd, SecondBackwardThroughASharedPartIsRefused) {
    const Tensor x = leaf({2}, {1});
    const Tensor shared = x * x;
    shared.sum().backward();
    EXPECT_THROW((shared * 2.0).sum().backward(), Error);
}

TEST(Autograd, NoGradRecordsNothing) {
    const Tensor x = leaf({2}, {1});
    {
        const NoGrad no_grad;
        EXPECT_FALSE((x * 2.0).requires_grad());
    }
    EXPECT_TRUE((x * 2.0).requires_grad());
    EXPECT_FALSE(x.detach().requires_grad());
}

TEST(Autograd, BackwardWithoutARecordSaysSo) {
    EXPECT_THROW(Tensor::ones({1}).backward(), Error);
    const Tensor x = leaf({1, 2}, {2});
    EXPECT_THROW((x * 2.0).backward(), Error);  // not a scalar
    EXPECT_THROW((x * 2.0).backward(Tensor::ones({3})), Error);
    (x * 2.0).backward(Tensor::from<float>({1, 10}, {2}));
    EXPECT_EQ(gradient(x), (std::vector<float>{2, 20}));
}

TEST(Autograd, ChangingASavedTensorInPlaceIsAnError) {
    const Tensor x = leaf({2}, {1}), w = leaf({3}, {1});
    const Tensor y = (x * w).sum();
    w.fill_(4);
    try {
        y.backward();
        FAIL() << "the change went unnoticed";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("changed in place"), std::string::npos) << error.what();
    }
}

TEST(Autograd, LongChainIsDestroyedWithoutRecursion) {
    const Tensor x = leaf({1}, {1});
    Tensor y = x;
    for (int i = 0; i < 300000; ++i) y = y + 0.0;
    y = Tensor();  // would overflow the stack if every node destroyed the next
    Tensor z = x;
    for (int i = 0; i < 100000; ++i) z = z + 0.0;
    z.sum().backward();
    EXPECT_EQ(gradient(x), std::vector<float>{1});
}

TEST(Autograd, OnlyFloatingLeaves) {
    Tensor integers = Tensor::arange(3);
    EXPECT_THROW(integers.set_requires_grad(), Error);
    Tensor y = leaf({1}, {1}) * 2.0;
    EXPECT_THROW(y.set_requires_grad(), Error);
}

TEST(Autograd, ViewsPassGradientsToTheirPart) {
    const Tensor x = leaf({1, 2, 3, 4, 5, 6}, {3, 2});
    (x.slice(1, 3) * 2.0 + x[1].reshape({1, 2})).sum().backward();
    EXPECT_EQ(gradient(x), (std::vector<float>{0, 0, 4, 4, 2, 2}));
}

TEST(Autograd, UserFunctionWithItsOwnBackward) {
    const Tensor x = leaf({1, -2}, {2});
    const Tensor y = ops::custom(
        "cube", {x}, [](const std::vector<Tensor>& in) { return in[0] * in[0] * in[0]; },
        [](const std::vector<Tensor>& in, const Tensor&, const Tensor& dy) {
            return std::vector<Tensor>{in[0] * in[0] * 3.0 * dy};
        });
    EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{1, -8}));
    y.sum().backward();
    EXPECT_EQ(gradient(x), (std::vector<float>{3, 12}));
}

TEST(Autograd, SplitWithOneUnusedPart) {
    const Tensor x = leaf({1, 2, 3}, {3});
    const std::int64_t extents[] = {1, 2};
    const auto parts = ops::split(x, extents, 0);
    (parts[1] * 2.0).sum().backward();
    EXPECT_EQ(gradient(x), (std::vector<float>{0, 2, 2}));
}

}  // namespace
}  // namespace heddle
