#include <cmath>

#include <fmt/format.h>

#include "ops/attention.h"
#include "ops/norm.h"
#include "ops/random.h"
#include "ops/softmax.h"
#include "tests/ops/gradient_check.h"

namespace heddle {
namespace {

using gradients::check_gradients;
using gradients::Inputs;
using gradients::uniform;
using ops::BatchNormOptions;
using ops::FusedActivation;

/// Every combination of what may be left out, in one mode.
void check_batch_norm(bool training) {
    const Tensor x = uniform({2, 2, 3, 3}, -2, 2), scale = uniform({3}, 0.5, 2, 2), offset = uniform({3}, -1, 1, 3),
                 residual = uniform({2, 2, 3, 3}, -1, 1, 4);
    for (int given = 0; given < 16; ++given) {
        const bool has_scale = (given & 1) != 0, has_offset = (given & 2) != 0, has_residual = (given & 4) != 0;
        const BatchNormOptions options{.activation = (given & 8) != 0 ? FusedActivation::relu : FusedActivation::none};
        Inputs inputs{x};
        if (has_scale) inputs.push_back(scale);
        if (has_offset) inputs.push_back(offset);
        if (has_residual) inputs.push_back(residual);
        check_gradients(fmt::format("scale {}, offset {}, residual {}, relu {}", has_scale, has_offset, has_residual,
                                    (given & 8) != 0),
                        inputs, [&](const Inputs& in) {
                            std::size_t next = 1;
                            const Tensor s = has_scale ? in[next++] : Tensor(), o = has_offset ? in[next++] : Tensor();
                            const Tensor r = has_residual ? in[next++] : Tensor();
                            // Anew each time: training moves them.
                            const Tensor mean = uniform({3}, -0.5, 0.5, 5), variance = uniform({3}, 0.5, 2, 6);
                            return ops::batch_norm(in[0], s, o, mean, variance, training, options, r);
                        });
    }
}

TEST(GradientsNorm, BatchNormInTraining) { check_batch_norm(true); }
TEST(GradientsNorm, BatchNormInInference) { check_batch_norm(false); }

TEST(GradientsNorm, BatchNormWithMaxPooling) {
    const Tensor x = uniform({2, 5, 4, 3}, -2, 2), scale = Tensor::from({1.5, -0.75, 0.5}, Shape{3}),
                 offset = uniform({3}, -1, 1, 3);
    const ops::Pool2dParams overlapping{.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1, 0, 1}};
    for (const FusedActivation activation : {FusedActivation::none, FusedActivation::relu})
        for (const ops::Pool2dParams& window : {ops::Pool2dParams(), overlapping}) {
            const auto run = [&](const Tensor& input, const Tensor& s, const Tensor& o) {
                return ops::batch_norm_max_pool2d(input, s, o, Tensor(), Tensor(), {.activation = activation}, window);
            };
            const std::string name =
                fmt::format("relu {}, window of {}", activation == FusedActivation::relu, window.kernel[0]);
            check_gradients(name, {x, scale, offset}, [&](const Inputs& in) { return run(in[0], in[1], in[2]); });
            check_gradients(name + ", bare", {x}, [&](const Inputs& in) { return run(in[0], Tensor(), Tensor()); });
            check_gradients(name + ", scale", {scale}, [&](const Inputs& in) { return run(x, in[0], offset); });
            check_gradients(name + ", offset", {offset}, [&](const Inputs& in) { return run(x, scale, in[0]); });
        }
}

TEST(GradientsAttention, EveryInput) {
    const Inputs inputs{uniform({2, 3, 2, 4}), uniform({2, 5, 2, 4}, -1, 1, 2), uniform({2, 5, 2, 3}, -1, 1, 3)};
    check_gradients("plain", inputs, [](const Inputs& in) { return ops::attention(in[0], in[1], in[2]).output; });
    check_gradients("causal", inputs,
                    [](const Inputs& in) { return ops::attention(in[0], in[1], in[2], {.causal = true}).output; });
    check_gradients("weights", {inputs[0], inputs[1]},
                    [&](const Inputs& in) { return ops::attention(in[0], in[1], inputs[2]).weights; });
}

// By its own kernels, which keep no weights.
TEST(GradientsAttention, WithoutWeights) {
    const Inputs inputs{uniform({2, 3, 2, 4}), uniform({2, 5, 2, 4}, -1, 1, 2), uniform({2, 5, 2, 3}, -1, 1, 3)};
    const Tensor mask = Tensor::from<std::uint8_t>({1, 0, 1, 1, 0, 0, 0, 0, 0, 0}, Shape{2, 5}).to(DType::boolean);
    for (const bool causal : {false, true})
        for (const Tensor& given : {Tensor(), mask})
            check_gradients(
                fmt::format("causal {}, masked {}", causal, given.defined()), inputs, [&](const Inputs& in) {
                    return ops::attention(in[0], in[1], in[2], {.causal = causal, .mask = given, .weights = false})
                        .output;
                });
    check_gradients("one", {inputs[0]}, [&](const Inputs& in) {
        return ops::attention(in[0], inputs[1], inputs[2], {.scale = 2, .weights = false}).output;
    });
}

// Both ways in f32, several blocks of queries long, more queries than keys: some see nothing.
TEST(Attention, BothWaysAgree) {
    const auto random = [](const Shape& shape, std::uint64_t seed) {
        return uniform(shape, -2, 2, seed).to(DType::f32);
    };
    for (const std::int64_t keys : {70, 131, 150}) {
        std::vector<Tensor> given{random({2, 131, 3, 9}, 1), random({2, keys, 3, 9}, 2), random({2, keys, 3, 5}, 3)};
        std::vector<double> results[2];
        for (const bool weights : {false, true}) {
            for (Tensor& tensor : given) tensor = tensor.detach().clone().set_requires_grad();
            const ops::Attended attended =
                ops::attention(given[0], given[1], given[2], {.causal = true, .weights = weights});
            EXPECT_EQ(attended.weights.defined(), weights);
            (attended.output * attended.output).sum().backward();
            std::vector<double>& all = results[weights ? 1 : 0];
            for (const Tensor& tensor : {attended.output, given[0].grad(), given[1].grad(), given[2].grad()})
                for (const double value : tensor.to_vector<double>()) all.push_back(value);
        }
        ASSERT_EQ(results[0].size(), results[1].size());
        for (std::size_t i = 0; i < results[0].size(); ++i)
            ASSERT_NEAR(results[0][i], results[1][i], 2e-5 * (1 + std::abs(results[1][i]))) << keys << " keys, " << i;
    }
}

// A key that does not count, and a sentence of padding alone.
TEST(Attention, WhatIsMaskedHasNoPart) {
    const Tensor query = uniform({2, 3, 1, 4}), key = uniform({2, 3, 1, 4}, -1, 1, 2),
                 value = uniform({2, 3, 1, 2}, -1, 1, 3);
    const Tensor mask = Tensor::from<std::uint8_t>({1, 0, 1, 0, 0, 0}, Shape{2, 3}).to(DType::boolean);
    for (const bool weights : {false, true}) {
        const auto attend = [&](const Tensor& v) {
            return ops::attention(query, key, v, {.mask = mask, .weights = weights}).output;
        };
        Tensor changed = value.clone();
        changed[0][1].fill_(1e6);
        EXPECT_EQ(attend(value).to_vector<double>(), attend(changed).to_vector<double>());
        EXPECT_EQ(attend(value)[1].to_vector<double>(), std::vector<double>(6, 0.0));
    }
}

TEST(GradientsNorm, LayerNorm) {
    const Tensor x = uniform({3, 2, 5}, -2, 2), scale = uniform({5}, 0.5, 2, 2), offset = uniform({5}, -1, 1, 3);
    check_gradients("all", {x, scale, offset}, [](const Inputs& in) { return ops::layer_norm(in[0], in[1], in[2]); });
    check_gradients("bare", {x}, [](const Inputs& in) { return ops::layer_norm(in[0], Tensor(), Tensor(), 0.125f); });
    check_gradients("input", {x}, [&](const Inputs& in) { return ops::layer_norm(in[0], scale, offset); });
    check_gradients("scale", {scale}, [&](const Inputs& in) { return ops::layer_norm(x, in[0], offset); });
    check_gradients("offset", {offset}, [&](const Inputs& in) { return ops::layer_norm(x, scale, in[0]); });
}

TEST(GradientsNorm, BatchNormOfDenseFeaturesWithoutRunningStatistics) {
    check_gradients("dense", {uniform({6, 4}), uniform({4}, 0.5, 2, 2), uniform({4}, -1, 1, 3)}, [](const Inputs& in) {
        return ops::batch_norm(in[0], in[1], in[2], Tensor(), Tensor(), true, {.epsilon = 0.125f});
    });
}

TEST(GradientsNorm, OnlyWhatIsWantedIsComputed) {
    const Tensor x = uniform({4, 3}), scale = uniform({3}, 0.5, 2, 2), offset = uniform({3}, -1, 1, 3),
                 residual = uniform({4, 3}, -1, 1, 4);
    const auto apply = [](const Tensor& a, const Tensor& s, const Tensor& o, const Tensor& r) {
        return ops::batch_norm(a, s, o, Tensor(), Tensor(), true, {.activation = FusedActivation::relu}, r);
    };
    check_gradients("scale", {scale}, [&](const Inputs& in) { return apply(x, in[0], offset, residual); });
    check_gradients("offset", {offset}, [&](const Inputs& in) { return apply(x, scale, in[0], residual); });
    check_gradients("residual", {residual}, [&](const Inputs& in) { return apply(x, scale, offset, in[0]); });
    check_gradients("input", {x}, [&](const Inputs& in) { return apply(in[0], scale, offset, residual); });
    check_gradients("input as residual", {x}, [&](const Inputs& in) { return apply(in[0], scale, offset, in[0]); });
}

TEST(GradientsNorm, Softmax) {
    for (const Shape& shape : {Shape{5}, Shape{3, 4}, Shape{2, 2, 3}}) {
        check_gradients("softmax", {uniform(shape, -3, 3)}, [](const Inputs& in) { return ops::softmax(in[0]); });
        check_gradients("log_softmax", {uniform(shape, -3, 3)},
                        [](const Inputs& in) { return ops::log_softmax(in[0]); });
    }
}

TEST(GradientsNorm, DropoutWithAFixedState) {
    for (const float rate : {0.25f, 0.5f, 0.9f})
        check_gradients(fmt::format("dropout {}", rate), {uniform({4, 8}, 0.5, 1)}, [rate](const Inputs& in) {
            Generator generator(7);
            return ops::dropout(in[0], rate, true, generator);
        });
}

}  // namespace
}  // namespace heddle
