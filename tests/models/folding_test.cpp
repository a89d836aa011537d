#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/profile.h"
#include "heddle.h"

// The reference models give the same logits with their batch norms folded into the convolutions (evaluation) and
// without (where gradients are recorded).
namespace heddle {
namespace {

std::uint64_t norms_run(const std::function<Tensor()>& forward, Tensor& y) {
    set_profiling(true);
    y = forward();
    set_profiling(false);
    for (const ProfileEntry& entry : profile())
        if (entry.name == "batch_norm_inference") return entry.calls;
    return 0;
}

/// `folded`: how many batch norms fold at this batch, each of which then runs on its vectors alone, twice.
void expect_same_logits(const Layer& model, std::int64_t batch, std::uint64_t folded) {
    set_seed(7);
    const Tensor x = ops::random_normal(Shape{batch, 32, 32, 3});
    model(x, true);  // statistics other than the initial ones
    Tensor plain, evaluated;
    const std::uint64_t norms = norms_run([&] { return model(x); }, plain);
    {
        const NoGrad no_grad;
        EXPECT_EQ(norms_run([&] { return model(x); }, evaluated), norms + folded);
    }
    const std::vector<float> a = plain.detach().to_vector<float>(), b = evaluated.to_vector<float>();
    ASSERT_EQ(a.size(), b.size());
    float largest = 0, difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest = std::max(largest, std::abs(a[i]));
        difference = std::max(difference, std::abs(a[i] - b[i]));
    }
    EXPECT_GT(largest, 0);
    EXPECT_LE(difference, 1e-5f * largest);
}

TEST(FoldedModels, GiveTheLogitsOfPlainOnes) {
    {
        SCOPED_TRACE("ResNet-20: the first convolution and the three blocks of 32 x 32 pictures");
        expect_same_logits(make_cifar_resnet(20), 72, 7);
    }
    {
        SCOPED_TRACE("ResNet-18: likewise, two blocks; of the second stage the first convolution and the shortcut");
        expect_same_logits(make_resnet(18, 10, Stem::cifar), 36, 5 + 2);
    }
    {
        SCOPED_TRACE("PreAct ResNet-18: within blocks alone");
        expect_same_logits(make_preact_resnet18(), 20, 2);
    }
    {
        SCOPED_TRACE("VGG-11: the first");
        expect_same_logits(VGG({.depth = 11, .batch_norm = true, .classes = 10, .hidden = {64}}), 20, 1);
    }
}

}  // namespace
}  // namespace heddle
