#include <fmt/format.h>

#include "ops/loss.h"
#include "ops/softmax.h"
#include "tests/ops/gradient_check.h"

namespace heddle {
namespace {

using gradients::check_gradients;
using gradients::Inputs;
using gradients::uniform;
using ops::CrossEntropyOptions;

TEST(GradientsLoss, CrossEntropyOfClasses) {
    const Tensor labels = Tensor::from<std::int64_t>({2, 0, 3, 1, 3}, {5}), logits = uniform({5, 4}, -2, 2);
    for (const DType dtype : {DType::i64, DType::i32, DType::u8})
        for (const float smoothing : {0.0f, 0.1f, 1.0f}) {
            const Tensor typed = labels.to(dtype);
            check_gradients(
                fmt::format("labels of type {}, smoothing {}", static_cast<int>(dtype), smoothing), {logits},
                [&](const Inputs& in) { return ops::cross_entropy(in[0], typed, {.label_smoothing = smoothing}); });
        }
    for (const float smoothing : {0.0f, 0.1f})
        check_gradients("ignored rows", {logits}, [&](const Inputs& in) {
            return ops::cross_entropy(in[0], labels, {.label_smoothing = smoothing, .ignore_index = 3});
        });
    check_gradients("pixels", {uniform({1, 2, 2, 3})}, [](const Inputs& in) {
        return ops::cross_entropy(in[0], Tensor::from<std::int32_t>({0, 2, 1, 1}, {1, 2, 2}));
    });
}

TEST(GradientsLoss, CrossEntropyOfDistributions) {
    const Tensor target = ops::softmax(uniform({5, 4}, -2, 2, 2));
    for (const float smoothing : {0.0f, 0.25f})
        check_gradients(fmt::format("smoothing {}", smoothing), {uniform({5, 4}, -2, 2)}, [&](const Inputs& in) {
            return ops::cross_entropy(in[0], target, {.label_smoothing = smoothing});
        });
}

TEST(GradientsLoss, CrossEntropyOfProbabilities) {
    const Tensor labels = Tensor::from<std::int32_t>({2, 0, 3, 1, 3}, {5}), given = uniform({5, 4}, 0.1, 1);
    const Tensor target = ops::softmax(uniform({5, 4}, -2, 2, 2));
    for (const float smoothing : {0.0f, 0.25f}) {
        const CrossEntropyOptions options{.label_smoothing = smoothing, .from_logits = false};
        check_gradients("classes", {given},
                        [&](const Inputs& in) { return ops::cross_entropy(in[0], labels, options); });
        check_gradients("distributions", {given},
                        [&](const Inputs& in) { return ops::cross_entropy(in[0], target, options); });
    }
}

TEST(GradientsLoss, PointLossesToBothSides) {
    const Tensor prediction = uniform({3, 5}, -2, 2), target = uniform({3, 5}, -2, 2, 2);
    check_gradients("mse", {prediction, target},
                    [](const Inputs& in) { return ops::mean_squared_error(in[0], in[1]); });
    check_gradients("mae", {prediction, target},
                    [](const Inputs& in) { return ops::mean_absolute_error(in[0], in[1]); });
    for (const float delta : {0.5f, 1.0f, 3.0f})
        check_gradients(fmt::format("huber {}", delta), {prediction, target},
                        [delta](const Inputs& in) { return ops::huber(in[0], in[1], delta); });
    check_gradients("bce of logits", {prediction, uniform({3, 5}, 0.1, 0.9, 3)},
                    [](const Inputs& in) { return ops::binary_cross_entropy(in[0], in[1]); });
    check_gradients("bce of probabilities", {uniform({3, 5}, 0.1, 0.9, 4), uniform({3, 5}, 0.1, 0.9, 3)},
                    [](const Inputs& in) { return ops::binary_cross_entropy(in[0], in[1], false); });
}

/// The factor of a mean is no float: 1 / 7 as a float is off by 1e-8.
TEST(GradientsLoss, OfMeansHaveThePrecisionOfTheirType) {
    const auto gradient = [](const auto& loss) {
        Tensor prediction = Tensor::full({7, 3}, 0.5, {DType::f64});
        prediction.set_requires_grad();
        loss(prediction).backward();
        return prediction.grad().to_vector<double>()[0];
    };
    const Tensor target = Tensor::zeros({7, 3}, {DType::f64});
    EXPECT_NEAR(gradient([&](const Tensor& x) { return ops::mean_squared_error(x, target); }), 1.0 / 21, 1e-16);
    EXPECT_NEAR(gradient([&](const Tensor& x) { return ops::mean_absolute_error(x, target); }), 1.0 / 21, 1e-16);
    const Tensor labels = Tensor::zeros({7}, {DType::i64});
    EXPECT_NEAR(gradient([&](const Tensor& x) { return ops::cross_entropy(x, labels); }), -2.0 / 21, 1e-16);
}

/// Each row's or element's own loss: its mean is the mean, and so is its gradient for any gradient that comes back.
TEST(GradientsLoss, WithoutReduction) {
    using ops::Reduction;
    const auto check = [](const char* name, const Inputs& inputs, const Shape& shape, const auto& loss) {
        SCOPED_TRACE(name);
        const Tensor each = loss(inputs, Reduction::none);
        EXPECT_EQ(each.shape(), shape);
        EXPECT_NEAR(each.mean().item(), loss(inputs, Reduction::mean).item(), 1e-12);
        check_gradients(name, inputs, [&](const Inputs& in) { return loss(in, Reduction::none); });
    };
    const Tensor labels = Tensor::from<std::int64_t>({2, 0, 3, 1, 3, 0}, {2, 3}),
                 target = ops::softmax(uniform({2, 3, 4}, -2, 2, 2));
    for (const bool logits : {true, false})
        for (const Tensor& wanted : {labels, target})
            check("cross-entropy", {uniform({2, 3, 4}, 0.1, 1)}, {2, 3}, [&](const Inputs& in, Reduction reduction) {
                return ops::cross_entropy(in[0], wanted,
                                          {.label_smoothing = 0.1f, .from_logits = logits, .reduction = reduction});
            });
    const Inputs both{uniform({3, 5}, 0.1, 0.9, 4), uniform({3, 5}, 0.1, 0.9, 3)};
    check("mse", both, {3, 5}, [](const Inputs& in, Reduction r) { return ops::mean_squared_error(in[0], in[1], r); });
    check("mae", both, {3, 5}, [](const Inputs& in, Reduction r) { return ops::mean_absolute_error(in[0], in[1], r); });
    check("huber", both, {3, 5}, [](const Inputs& in, Reduction r) { return ops::huber(in[0], in[1], 0.3f, r); });
    for (const bool logits : {true, false})
        check("bce", both, {3, 5},
              [&](const Inputs& in, Reduction r) { return ops::binary_cross_entropy(in[0], in[1], logits, r); });

    // Ignored rows have the loss 0 and no gradient.
    Tensor x = uniform({3, 2});
    x.set_requires_grad();
    const Tensor loss = ops::cross_entropy(x, Tensor::from<std::int64_t>({0, -1, 1}, {3}),
                                           {.ignore_index = -1, .reduction = Reduction::none});
    EXPECT_EQ(loss.to_vector<double>()[1], 0);
    loss.backward(Tensor::ones({3}, x.options()));
    const std::vector<double> gradient = x.grad().to_vector<double>();
    EXPECT_NE(gradient[0], 0);
    EXPECT_EQ(gradient[2], 0);
    EXPECT_EQ(gradient[3], 0);
}

}  // namespace
}  // namespace heddle
