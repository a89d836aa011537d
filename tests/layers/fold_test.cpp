#include <limits>

#include "core/detail/processor.h"
#include "core/graph.h"
#include "core/profile.h"
#include "layers/detail/fold.h"
#include "tests/devices.h"
#include "tests/layers/support.h"

// Batch norms folded into the convolutions before them: the same results up to rounding, where that is sound and pays.
namespace heddle {
namespace {

using namespace layer_tests;

/// Results that outnumber the weights by enough: [72, 33, 31, 16].
const Shape input{72, 33, 31, 5};

struct Block {
    Conv2D convolution;
    BatchNormalization norm;

    explicit Block(const Conv2DOptions& options = {.padding = Padding::same, .use_bias = false},
                   const BatchNormalizationOptions& norm_options = {}, const Shape& x = input)
        : convolution(16, 3, options), norm(norm_options) {
        const Shape sample = x.range(1, x.rank());
        convolution.build({sample});
        norm.build({convolution->output_shape(sample)});
        fill_parameters(convolution);
        fill_parameters(norm);
        norm->own_buffers()[0].second.copy_(values({16}, DType::f32, 31));
        norm->own_buffers()[1].second.copy_(values({16}, DType::f32, 32) + 1.0625);
    }

    /// Its two layers one by one.
    Tensor unfolded(const Tensor& x, const FusedBatchNormOptions& fused = {}) const {
        return norm(convolution(x), false, fused);
    }
};

/// Whether the body computes one convolution that a norm was folded into: the norm has run on its vectors alone, twice.
bool folds(const std::function<void()>& body) {
    set_profiling(true);
    body();
    set_profiling(false);
    std::uint64_t convolutions = 0, norms = 0, others = 0;
    for (const ProfileEntry& entry : profile()) {
        if (entry.name == "conv2d_forward") convolutions = entry.calls;
        if (entry.name == "batch_norm_inference") norms = entry.calls;
        if (entry.name == "batch_norm_forward") others = entry.calls;
    }
    EXPECT_EQ(convolutions, 1u);
    EXPECT_EQ(norms + others, norms == 2 ? 2u : 1u);
    return norms == 2;
}

TEST(FoldedNorm, GivesWhatTheLayersGiveOneByOne) {
    const NoGrad no_grad;
    const std::vector<Conv2DOptions> convolutions = {
        {.padding = Padding::same, .use_bias = false},
        {.padding = Padding::same},
        {.strides = {1, 2}, .dilation_rate = {2, 1}, .use_bias = false},
    };
    const std::vector<BatchNormalizationOptions> norms = {
        {}, {.epsilon = 0.3f}, {.center = false}, {.scale = false}, {.center = false, .scale = false}};
    const auto check = [](const Conv2DOptions& convolution, const BatchNormalizationOptions& norm, bool relu,
                          bool residual) {
        const Shape large{160, 33, 31, 5};  // enough for strides, too
        const Block block(convolution, norm, large);
        const Tensor x = values(large);
        FusedBatchNormOptions fused{.relu = relu};
        if (residual) fused.residual = values(block.convolution(x).shape(), DType::f32, 8);
        Tensor y;
        EXPECT_TRUE(folds([&] { y = block.norm.after(block.convolution, x, false, fused); }));
        EXPECT_LT(relative_error(y, block.unfolded(x, fused)), 1e-6);
    };
    for (const bool relu : {false, true})
        for (const bool residual : {false, true}) {
            SCOPED_TRACE(::testing::Message() << "relu " << relu << ", residual " << residual);
            check(convolutions[2], norms[0], relu, residual);
        }
    for (std::size_t i = 0; i < convolutions.size(); ++i)
        for (std::size_t j = i; j < norms.size(); j += convolutions.size()) {
            SCOPED_TRACE(::testing::Message() << "convolution " << i << ", norm " << j);
            check(convolutions[i], norms[j], true, true);
        }
}

TEST(FoldedNorm, HoldsForGroupsAndOtherTypes) {
    const NoGrad no_grad;
    const Shape grouped{72, 33, 31, 8};
    const Block block({.padding = Padding::same, .groups = 4}, {}, grouped);
    const Tensor x = values(grouped), residual = values({72, 33, 31, 16}, DType::f32, 8);
    const auto check = [&](DType dtype, double tolerance) {
        const FusedBatchNormOptions fused{.residual = residual.to(dtype), .relu = true};
        Tensor y;
        EXPECT_TRUE(folds([&] { y = block.norm.after(block.convolution, x.to(dtype), false, fused); }));
        EXPECT_EQ(y.dtype(), dtype);
        EXPECT_LT(relative_error(y, block.unfolded(x.to(dtype), fused)), tolerance) << to_string(dtype);
    };
    check(DType::f32, 1e-6);
    if (has_avx512()) check(DType::bf16, 1e-2);
    make_f64(block.convolution);
    make_f64(block.norm);
    check(DType::f64, 1e-14);
}

/// Means far beyond the deviation, which the folded bias has to cancel.
TEST(FoldedNorm, StaysCloseWhereMeansAreLarge) {
    const NoGrad no_grad;
    const Block block;
    const Tensor x = values(input) + 100.0, plain = block.convolution(x);
    block.norm->own_buffers()[0].second.copy_(plain.reshape(Shape{-1, 16}).mean(0));
    const Tensor y = block.norm.after(block.convolution, x, false);
    // Both round sums of hundreds; so much of the difference remains.
    EXPECT_LT(relative_error(y, block.unfolded(x)), 2e-4);
}

TEST(FoldedNorm, KeepsZeroVariancesAndNaN) {
    const NoGrad no_grad;
    const Block block({.padding = Padding::same});
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> variance = block.norm->own_buffers()[1].second.to_vector<float>();
    variance[2] = 0;
    variance[5] = nan;
    block.norm->own_buffers()[1].second.copy_(Tensor::from(variance, Shape{16}));
    std::vector<float> bias = block.convolution->own_parameters()[1].second.to_vector<float>();
    bias[7] = nan;
    block.convolution->own_parameters()[1].second.copy_(Tensor::from(bias, Shape{16}));
    std::vector<float> pixels = values(input).to_vector<float>();
    pixels[0] = nan;
    const Tensor x = Tensor::from(pixels, input);
    Tensor y;
    EXPECT_TRUE(folds([&] { y = block.norm.after(block.convolution, x, false, {.relu = true}); }));
    const std::vector<double> got = numbers(y), want = numbers(block.unfolded(x, {.relu = true}));
    std::int64_t with_nan = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_EQ(std::isnan(got[i]), std::isnan(want[i])) << i;
        if (std::isnan(got[i])) {
            ++with_nan;
        } else {
            ASSERT_NEAR(got[i], want[i], 1e-4 * std::max(1.0, std::abs(want[i]))) << i;
        }
    }
    EXPECT_EQ(with_nan, 72 * 33 * 31 * 2 + 4 * 14);  // two channels, and the corner that sees the pixel
}

TEST(FoldedNorm, ContainersDoIt) {
    const NoGrad no_grad;
    for (const bool relu : {false, true}) {
        SCOPED_TRACE(relu);
        const Block block;
        const Tensor x = values(input), want = block.unfolded(x, {.relu = relu});
        std::vector<Layer> layers{block.convolution, block.norm};
        if (relu) layers.push_back(ReLU());
        layers.push_back(Flatten());
        const Layer chain = make_chain(layers);
        chain.build({input.range(1, 4)});
        const Symbol in = Input(input.range(1, 4));
        Symbol h = in;
        for (const Layer& layer : layers) h = layer(h);
        const Model graph(in, h);
        Tensor y;
        for (const Layer& container : {chain, Layer(graph)}) {
            EXPECT_TRUE(folds([&] { y = container(x); }));
            EXPECT_LT(relative_error(y, want.reshape(y.shape())), 1e-6);
        }
    }
}

TEST(FoldedNorm, PaysOnADeviceWhereItWasMeasured) {
    for (const DeviceKind device : {DeviceKind::cpu, DeviceKind::sim}) {
        EXPECT_TRUE(detail::folding_pays(device, 100, (1 << 20) + 101));
        EXPECT_FALSE(detail::folding_pays(device, 100, (1 << 20) + 100));
    }
    EXPECT_FALSE(detail::folding_pays(DeviceKind::cuda, 100, std::int64_t{1} << 40));
}

/// What somebody else wants to see stays.
TEST(FoldedNorm, AValueInBetweenIsNotFoldedAway) {
    const NoGrad no_grad;
    const Block block;
    const Symbol in = Input(input.range(1, 4)), between = block.convolution(in);
    const Model model({in}, {ReLU()(block.norm(between)), between});
    const Tensor x = values(input);
    std::vector<Tensor> y;
    EXPECT_FALSE(folds([&] { y = model(std::vector{x}); }));
    EXPECT_EQ(relative_error(y[1], block.convolution(x)), 0);
    const Symbol normalised = block.norm(block.convolution(in));
    const Model both({in}, {ReLU()(normalised), normalised});
    EXPECT_TRUE(folds([&] { y = both(std::vector{x}); }));
    EXPECT_LT(relative_error(y[1], block.unfolded(x)), 1e-6);
    EXPECT_LT(relative_error(y[0], block.unfolded(x, {.relu = true})), 1e-6);
}

TEST(FoldedNorm, NotWithGradientsOrInTraining) {
    const Tensor x = values(input);
    const auto folded = [&](const Block& block, const Tensor& pictures, bool training) {
        return folds([&] { block.norm.after(block.convolution, pictures, training); });
    };
    const Block block;
    EXPECT_FALSE(folded(block, x, false));  // the weights' gradients are recorded
    EXPECT_FALSE(folded(block, x, true));
    {
        const NoGrad no_grad;
        EXPECT_FALSE(folded(block, x, true));
        EXPECT_TRUE(folded(block, x, false));
    }
    // A frozen network in a training step: its statistics are fixed, but gradients may flow through it.
    block.convolution.set_trainable(false);
    block.norm.set_trainable(false);
    EXPECT_TRUE(folded(block, x, true));
    Tensor tracked = values(input);
    tracked.set_requires_grad();
    EXPECT_FALSE(folded(block, tracked, true));
    block.norm.after(block.convolution, tracked, true).sum().backward();
    EXPECT_TRUE(tracked.grad().defined());
}

TEST(FoldedNorm, NotWhereItWouldNotPayOrBeTheSame) {
    const NoGrad no_grad;
    const Tensor x = values(input);
    const Block block, active({.padding = Padding::same, .activation = Activation::relu, .use_bias = false});
    EXPECT_FALSE(folds([&] { block.norm.after(block.convolution, x.slice(0, 60), false); }));
    EXPECT_FALSE(folds([&] { active.norm.after(active.convolution, x, false); }));
    EXPECT_EQ(relative_error(active.norm.after(active.convolution, x, false), active.unfolded(x)), 0);
    // Layers that are not built yet: the first call builds them.
    const Conv2D convolution(16, 3, {.padding = Padding::same});
    const BatchNormalization norm;
    EXPECT_FALSE(folds([&] { norm.after(convolution, x, false); }));
    EXPECT_TRUE(folds([&] { norm.after(convolution, x, false); }));
    // What does not go together is told as by the layers themselves.
    EXPECT_EQ(error_of([&] {
                  block.norm.after(block.convolution, values({80, 33, 31, 4}), false);
              }),
              error_of([&] {
                  block.unfolded(values({80, 33, 31, 4}));
              }));
    EXPECT_NE(error_of([&] { norm.after(Layer(), x, false); }).find("empty layer"), std::string::npos);
}

TEST(FoldedNorm, SeesWeightsThatTrainingChanged) {
    Block block;
    Sequential model{block.convolution, block.norm, ReLU(), GlobalAveragePooling2D(), Dense(3)};
    model.build(input.range(1, 4));
    model.compile({.optimizer = SGD({.learning_rate = 0.5}), .loss = "mse"});
    const Tensor x = values(input), target = values({72, 3}, DType::f32, 5);
    const auto unfolded = [&] {
        const NoGrad no_grad;
        Tensor h = block.unfolded(x, {.relu = true});
        for (std::size_t i = 3; i < 5; ++i) h = model->children()[i].second(h);
        return h;
    };
    const Tensor before = model.predict(x, 72);
    EXPECT_LT(relative_error(before, unfolded()), 1e-6);
    model.train_on_batch(x, target);
    const Tensor after = model.predict(x, 72);
    EXPECT_GT(relative_error(after, before), 1e-3);
    EXPECT_LT(relative_error(after, unfolded()), 1e-6);
}

TEST(Conv2DLayer, AddsAResidual) {
    const Conv2D convolution(6, 3, {.padding = Padding::same, .activation = Activation::tanh});
    const Tensor x = values({2, 7, 5, 4});
    Tensor residual = values({2, 7, 5, 6}, DType::f32, 3);
    convolution.build({{7, 5, 4}});
    fill_parameters(convolution);
    const Conv2D linear(6, 3, {.padding = Padding::same});
    linear.build({{7, 5, 4}});
    fill_parameters(linear);
    residual.set_requires_grad();
    const Tensor want = activate(Activation::tanh, linear(x) + residual);
    const Tensor y = convolution(x, true, {.residual = residual});
    EXPECT_LT(relative_error(y, want), 1e-6);
    want.sum().backward();
    const Tensor gradient = residual.grad().clone();
    residual.zero_grad();
    y.sum().backward();
    EXPECT_LT(relative_error(residual.grad(), gradient), 1e-6);
    EXPECT_NE(error_of([&] {
                  convolution(x, true, {.residual = values({2, 7, 5, 4})});
              }).find("residual of shape"),
              std::string::npos);
}

class DeviceFolding : public testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceFolding);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceFolding, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

/// A captured pass holds the folding, where there is one: replayed, it sees weights and statistics that changed since.
TEST_P(DeviceFolding, AReplayedPassSeesChangedWeights) {
    const NoGrad no_grad;
    const Shape wide{73, 30, 30, 3};
    const Block block({.padding = Padding::same}, {}, wide);
    block.convolution.to(GetParam());
    block.norm.to(GetParam());
    const Tensor x = values(wide).to(GetParam());
    Tensor y;
    const auto pass = [&] { y = block.norm.after(block.convolution, x, false, {.relu = true}); };
    const bool folded = folds(pass);  // before the capture, which may not allocate for the first time
    EXPECT_EQ(folded, GetParam().kind != DeviceKind::cuda);
    const Graph graph = Graph::capture(GetParam(), pass);
    for (const Layer& layer : {Layer(block.convolution), Layer(block.norm)})
        for (const NamedTensors& tensors : {layer.parameters(), layer.buffers()})
            for (const auto& [name, tensor] : tensors) tensor.copy_(tensor * 0.5 + 0.25);
    const std::vector<double> before = numbers(y);
    graph.replay();
    EXPECT_NE(numbers(y), before);
    EXPECT_LT(relative_error(y, block.unfolded(x, {.relu = true})), 1e-6);
}

}  // namespace
}  // namespace heddle
