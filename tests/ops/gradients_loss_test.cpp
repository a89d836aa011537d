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

}  // namespace
}  // namespace heddle
