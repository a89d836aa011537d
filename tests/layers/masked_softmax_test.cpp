#include "support.h"

namespace heddle {
namespace {

using namespace layer_tests;

TEST(MaskedSoftmax, IsTheSoftmaxOfWhatCounts) {
    const Tensor x = values({2, 4});
    const std::vector<std::int64_t> counts{7, 0, 1, 0, 1, 1, 1, 1};
    const std::vector<double> row = numbers(
        ops::softmax(Tensor::from(std::vector<float>{x.to_vector<float>()[0], x.to_vector<float>()[2]}, Shape{1, 2})));
    const Softmax softmax;
    for (const DType type : {DType::i64, DType::f32, DType::boolean}) {
        const Tensor mask = type == DType::boolean
                                ? ops::greater(Tensor::from(counts, Shape{2, 4}), Tensor::scalar(0, {DType::i64}))
                                : Tensor::from(counts, Shape{2, 4}).to(type);
        const std::vector<double> y = numbers(softmax(std::vector<Tensor>{x, mask})[0]);
        EXPECT_NEAR(y[0], row[0], 1e-6);
        EXPECT_EQ(y[1], 0);
        EXPECT_NEAR(y[2], row[1], 1e-6);
        EXPECT_EQ(y[3], 0);
        const std::vector<double> whole = numbers(ops::softmax(x));
        for (std::size_t i = 4; i < 8; ++i) EXPECT_NEAR(y[i], whole[i], 1e-6);
    }
    // Where nothing counts there is no NaN.
    for (const double value : numbers(softmax(std::vector<Tensor>{x, Tensor::zeros(Shape{2, 4})})[0])) {
        EXPECT_GE(value, 0);
        EXPECT_LE(value, 1);
    }
}

TEST(MaskedSoftmax, GradientsAgreeWithFiniteDifferences) {
    const Softmax softmax;
    Tensor x = values({2, 4}, DType::f64);
    x.set_requires_grad();
    const Tensor mask = Tensor::from(std::vector<std::int64_t>{1, 0, 1, 1, 1, 1, 0, 0}, Shape{2, 4});
    const auto weighted = [&] {
        return (softmax(std::vector<Tensor>{x, mask})[0] * values({2, 4}, DType::f64, 9)).sum();
    };
    weighted().backward();
    const std::vector<double> exact = numbers(x.grad());
    const NoGrad no_grad;
    for (std::int64_t i = 0; i < 8; ++i) {
        double& element = x.data<double>()[i];
        const double before = element;
        element = before + 1e-6;
        const double above = weighted().item();
        element = before - 1e-6;
        const double below = weighted().item();
        element = before;
        EXPECT_NEAR(exact[static_cast<std::size_t>(i)], (above - below) / 2e-6, 1e-8);
    }
}

TEST(MaskedSoftmax, StandsInModels) {
    const Symbol in = Input({4}), mask = Input({4});
    const Model model({in, mask}, {Softmax()({in, mask})});
    const Layer back = Layer::from_config(Config::parse(model.config().to_json()));
    const std::vector<Tensor> inputs{values({2, 4}),
                                     Tensor::from(std::vector<float>{1, 0, 1, 0, 0, 1, 1, 0}, Shape{2, 4})};
    EXPECT_EQ(numbers(back(inputs)[0]), numbers(model(inputs)[0]));

    EXPECT_EQ(error_of([&] {
                  Softmax()(std::vector<Tensor>{values({2, 4}), values({2, 3})});
              }),
              "Activation: expected a mask [2, 4] as the input, got [2, 3]");
    EXPECT_EQ(error_of([&] {
                  ReLU()(std::vector<Tensor>{values({2, 4}), values({2, 4})});
              }),
              "Activation: relu takes one input, got 2");
}

}  // namespace
}  // namespace heddle
