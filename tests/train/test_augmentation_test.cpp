#include "train/test_augmentation.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"
#include "layers/conv.h"
#include "layers/core.h"
#include "ops/random.h"
#include "train/model.h"

namespace heddle {
namespace {

/// The loss of a batch is the mean of the predictions times the targets: it shows what was predicted.
Loss weighted() {
    return Loss("weighted",
                [](const Tensor& prediction, const Tensor& target) { return (prediction * target).mean(); });
}

TEST(TestAugmentation, IsTheWeightedMeanOverTheChangedPictures) {
    set_seed(4);
    const Model model = Sequential{Conv2D(3, 3, {.activation = Activation::tanh}), Flatten(), Dense(2)};
    const Tensor x = ops::random_normal({3, 5, 6, 2}), y = ops::random_normal({3, 2});
    model.build({5, 6, 2});
    model.compile({.optimizer = "sgd", .loss = weighted()});

    // Pictures by hand: P(r, c) with a reflection outside.
    const std::vector<float> pixels = x.to_vector<float>();
    const auto picture = [&](std::int64_t dy, std::int64_t dx, bool flip) {
        const auto mirrored = [](std::int64_t i, std::int64_t n) { return i < 0 ? -i : i >= n ? 2 * n - 2 - i : i; };
        std::vector<float> result;
        for (std::int64_t n = 0; n < 3; ++n)
            for (std::int64_t r = 0; r < 5; ++r)
                for (std::int64_t c = 0; c < 6; ++c)
                    for (std::int64_t k = 0; k < 2; ++k) {
                        const std::int64_t row = mirrored(r + dy, 5), column = mirrored((flip ? 5 - c : c) + dx, 6);
                        result.push_back(pixels[static_cast<std::size_t>(((n * 5 + row) * 6 + column) * 2 + k)]);
                    }
        return Tensor::from(result, x.shape());
    };
    const auto loss = [&](const Tensor& pictures) { return model.evaluate(pictures, y).at("loss"); };
    const auto both = [&](std::int64_t dy, std::int64_t dx) {
        return (loss(picture(dy, dx, false)) + loss(picture(dy, dx, true))) / 2;
    };
    const auto augmented = [&](TestAugmentation kind) {
        return model.evaluate(x, y, {.test_augmentation = kind}).at("loss");
    };
    EXPECT_NEAR(augmented(TestAugmentation::none), loss(x), 1e-6);
    EXPECT_NEAR(augmented(TestAugmentation::flip), both(0, 0), 1e-6);
    EXPECT_NEAR(augmented(TestAugmentation::flip_shift), both(0, 0) / 2 + (both(-1, -1) + both(1, 1)) / 4, 1e-6);
}

TEST(TestAugmentation, IsForPictures) {
    const Model model = Sequential{Dense(1)};
    model.compile({.optimizer = "sgd", .loss = "mse"});
    const Tensor x = Tensor::ones({4, 3}), y = Tensor::ones({4, 1});
    EXPECT_THROW(model.evaluate(x, y, {.test_augmentation = TestAugmentation::flip}), Error);
    EXPECT_EQ(parse_test_augmentation("flip-shift"), TestAugmentation::flip_shift);
    EXPECT_THROW(parse_test_augmentation("rotate"), Error);
}

}  // namespace
}  // namespace heddle
