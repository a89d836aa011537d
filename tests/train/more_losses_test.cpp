#include <gtest/gtest.h>

#include <cmath>

#include "samples.h"

namespace heddle {
namespace {

Tensor rows(const std::vector<float>& values, std::int64_t columns) {
    return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size()) / columns, columns});
}

TEST(MoreLosses, KLDivergence) {
    const Tensor p = rows({0.4f, 0.6f, 0.5f, 0.5f}, 2), t = rows({0.1f, 0.9f, 0, 1}, 2);
    const double first = 0.1 * std::log(0.1 / 0.4) + 0.9 * std::log(0.9 / 0.6);
    // A target of 0 is 1e-7, as in Keras.
    const double second = 1e-7 * std::log(1e-7 / 0.5) + std::log(1 / 0.5);
    EXPECT_NEAR(KLDivergence()(p, t).item(), (first + second) / 2, 1e-6);
    EXPECT_NEAR(Loss("kl_divergence")(t, t).item(), 0, 1e-7);
    // The derivative by p is -t / p.
    Tensor q = p.clone();
    q.set_requires_grad();
    KLDivergence()(q, t).backward();
    EXPECT_NEAR(q.grad().to_vector<double>()[1], -0.9 / 0.6 / 2, 1e-6);
    // A probability of 0 is no infinity.
    EXPECT_TRUE(std::isfinite(KLDivergence()(rows({0, 1}, 2), rows({1, 0}, 2)).item()));
}

TEST(MoreLosses, Poisson) {
    const Tensor p = rows({2, 0.5f}, 1), t = rows({3, 0}, 1);
    EXPECT_NEAR(Loss("poisson")(p, t).item(), (2 - 3 * std::log(2.0) + 0.5) / 2, 1e-6);
}

TEST(MoreLosses, CosineSimilarity) {
    const Tensor p = rows({3, 4, 1, 0, 0, 0}, 2), t = rows({6, 8, 0, -2, 1, 1}, 2);
    EXPECT_NEAR(CosineSimilarity()(p, t).item(), -(1.0 + 0 + 0) / 3, 1e-6);
}

TEST(MoreLosses, Hinges) {
    const Tensor p = rows({0.5f, -2, 3, 0.25f}, 1);
    const double first = 0.5, second = 0, third = 4, fourth = 0.75;
    for (const Tensor& t : {rows({1, -1, -1, 1}, 1), rows({1, 0, 0, 1}, 1)}) {
        EXPECT_NEAR(Hinge()(p, t).item(), (first + second + third + fourth) / 4, 1e-6);
        EXPECT_NEAR(Loss("squared_hinge")(p, t).item(), (0.25 + 0 + 16 + 0.5625) / 4, 1e-6);
    }
    Tensor q = p.clone();
    q.set_requires_grad();
    Hinge()(q, Tensor::from<std::int64_t>({1, 0, 0, 1}, Shape{4})).backward();
    EXPECT_EQ(q.grad().to_vector<double>(), (std::vector<double>{-0.25, 0, 0.25, -0.25}));
}

/// What the cross-entropy from logits is for: no logit is too large.
TEST(MoreLosses, SigmoidCrossEntropyOfLargeLogits) {
    const Tensor logits = rows({200, -200, 200, -200}, 1), t = rows({1, 0, 0, 1}, 1);
    EXPECT_EQ(BinaryCrossentropy({.from_logits = true})(logits, t).item(), 100);
}

}  // namespace
}  // namespace heddle
