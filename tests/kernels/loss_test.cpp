#include "kernels/loss/loss.h"

#include <gtest/gtest.h>

#include <cmath>

// What the cases cannot check: forward and backward steps together, and results that replace their inputs.
namespace {

using namespace heddle;
using namespace heddle::kernels;

View view(std::vector<float>& values, const Shape& shape) { return {values.data(), shape, DType::f32}; }

template <class Args>
void run(const KernelTable<Args>& table, const Args& args, const char* implementation) {
    const auto* found = table.find(implementation, DeviceKind::cpu);
    ASSERT_NE(found, nullptr);
    run_implementation(*found, args, Device::cpu(), 0);
}

struct Result {
    std::vector<float> loss, gradient;
};

Result cross_entropy(std::vector<float> logits, const char* implementation, float smoothing, bool in_place) {
    const Shape rows{3}, matrix{3, 5};
    std::vector<std::int32_t> classes{4, 0, 2};
    const View labels(classes.data(), rows, DType::i32);
    std::vector<float> loss(3), log_sum(3), gradient(15), dloss{1};
    const View x = view(logits, matrix);
    run(cross_entropy_forward(),
        CrossEntropyForward{x, labels, smoothing, no_ignored_label, view(loss, rows), view(log_sum, rows)},
        implementation);
    run(cross_entropy_backward(),
        CrossEntropyBackward{x, labels, smoothing, no_ignored_label, view(log_sum, rows), view(dloss, Shape{1}),
                             1.0f / 3, in_place ? x : view(gradient, matrix)},
        implementation);
    return {loss, in_place ? logits : gradient};
}

std::vector<float> logits_around(float center) {
    std::vector<float> logits(15);
    for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = center + static_cast<float>(i * 7 % 5) * 0.25f;
    return logits;
}

// Logits of 16384 keep their quarters exactly, so the results must not see the shift at all.
TEST(Loss, CrossEntropyIsTheSameFarFromZero) {
    for (const char* implementation : {"reference", "cpu"})
        for (const float smoothing : {0.0f, 0.1f}) {
            const Result near = cross_entropy(logits_around(0), implementation, smoothing, false);
            const Result far = cross_entropy(logits_around(16384), implementation, smoothing, false);
            for (std::size_t i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(near.loss[i], far.loss[i]);
            for (std::size_t i = 0; i < 15; ++i) EXPECT_NEAR(near.gradient[i], far.gradient[i], 1e-7);
        }
}

TEST(Loss, CrossEntropyGradientsOfARowSumToZero) {
    for (const char* implementation : {"reference", "cpu"}) {
        const Result result = cross_entropy(logits_around(1), implementation, 0.1f, false);
        for (std::size_t row = 0; row < 3; ++row) {
            double sum = 0, size = 0;
            for (std::size_t c = 0; c < 5; ++c) {
                sum += double(result.gradient[row * 5 + c]);
                size += std::abs(double(result.gradient[row * 5 + c]));
            }
            EXPECT_NEAR(sum, 0, 1e-7);
            EXPECT_GT(size, 0.1);
        }
    }
}

TEST(Loss, GradientsMayReplaceTheirInputs) {
    for (const char* implementation : {"reference", "cpu"}) {
        EXPECT_EQ(cross_entropy(logits_around(1), implementation, 0.1f, true).gradient,
                  cross_entropy(logits_around(1), implementation, 0.1f, false).gradient);
        for (const PointLoss kind : {PointLoss::mse, PointLoss::mae, PointLoss::huber, PointLoss::bce_with_logits}) {
            std::vector<float> p(101), t(101, 0.25f), gradient(101), dloss{1};
            for (std::size_t i = 0; i < p.size(); ++i) p[i] = static_cast<float>(i) * 0.05f - 2;
            const View prediction = view(p, Shape{101});
            PointLossBackward args{
                kind, 1, prediction, view(t, Shape{101}), view(dloss, Shape{1}), 0.5f, view(gradient, Shape{101})};
            run(point_loss_backward(), args, implementation);
            args.dprediction = prediction;
            run(point_loss_backward(), args, implementation);
            EXPECT_EQ(p, gradient) << implementation;
        }
    }
}

}  // namespace
