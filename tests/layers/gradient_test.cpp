#include "layers/containers.h"
#include "support.h"

// Every layer's gradients against central differences in f64.
namespace heddle {
namespace {

using namespace layer_tests;

struct GradientCase {
    std::string label;
    Layer layer;
    std::vector<Shape> inputs;
    bool training = true;
};

std::vector<GradientCase> gradient_cases() {
    const Padding same = Padding::same;
    const Symbol in = Input({5, 5, 2});
    const Conv2D twice(2, 3, {.padding = same});
    std::vector<GradientCase> cases{
        {"conv", Conv2D(3, 3, {.activation = Activation::tanh}), {{2, 5, 6, 2}}},
        {"conv_same_stride", Conv2D(3, 3, {.strides = 2, .padding = same}), {{2, 6, 5, 2}}},
        {"conv_dilated_groups", Conv2D(4, 2, {.dilation_rate = 2, .groups = 2}), {{1, 6, 6, 4}}},
        {"conv_relu", Conv2D(3, 3, {.activation = Activation::relu}), {{2, 5, 5, 2}}},
        {"dense", Dense(4), {{3, 5}}},
        {"dense_sequences_gelu", Dense(4, {.activation = Activation::gelu}), {{2, 3, 5}}},
        {"batch_norm", BatchNormalization(), {{4, 3, 3}}},
        {"batch_norm_inference", BatchNormalization(), {{4, 3}}, false},
        {"max", MaxPooling2D(2, {.padding = same}), {{2, 5, 5, 2}}},
        {"max_overlapping", MaxPooling2D(3, {.strides = 1}), {{1, 5, 5, 2}}},
        {"average", AveragePooling2D(2, {.padding = same}), {{2, 5, 5, 2}}},
        {"global_average", GlobalAveragePooling2D(), {{2, 3, 4, 2}}},
        {"global_max", GlobalMaxPooling2D(), {{2, 3, 4, 2}}},
        {"flatten", Flatten(), {{2, 3, 4}}},
        {"reshape", Reshape({2, -1}), {{2, 3, 4}}},
        {"rescaling", Rescaling(0.25, 1), {{2, 3}}},
        {"leaky_relu", LeakyReLU(0.1f), {{4, 5}}},
        {"add", Add(), {{2, 3}, {2, 3}, {2, 3}}},
        {"multiply", Multiply(), {{2, 3}, {2, 3}}},
        {"concatenate", Concatenate(1), {{2, 3, 2}, {2, 1, 2}}},
        {"transpose", Conv2DTranspose(3, 3, {.activation = Activation::tanh}), {{2, 4, 3, 2}}},
        {"transpose_same_stride", Conv2DTranspose(3, 3, {.strides = 2, .padding = same}), {{2, 3, 4, 2}}},
        {"transpose_dilated",
         Conv2DTranspose(2, 2, {.strides = 2, .padding = Padding::pixels(1), .dilation_rate = 2, .use_bias = false}),
         {{1, 4, 4, 2}}},
        {"transpose_relu", Conv2DTranspose(3, 2, {.strides = 3, .activation = Activation::relu}), {{1, 3, 2, 2}}},
        {"up_nearest", UpSampling2D({2, 3}), {{2, 3, 2, 2}}},
        {"up_bilinear", UpSampling2D({2, 3}, {.interpolation = Interpolation::bilinear}), {{2, 3, 2, 2}}},
        {"zero_padding", ZeroPadding2D({1, 0, 2, 1}), {{2, 3, 2, 2}}},
        {"cropping", Cropping2D({1, 0, 0, 1}), {{2, 4, 3, 2}}},
        {"conv1d_causal", Conv1D(3, 3, {.padding = Padding::causal, .dilation_rate = 2}), {{2, 6, 2}}},
        {"conv1d_relu", Conv1D(4, 2, {.strides = 2, .groups = 2, .activation = Activation::relu}), {{2, 6, 4}}},
        {"max1d", MaxPooling1D(2), {{2, 5, 3}}},
        {"average1d", AveragePooling1D(2, {.padding = same}), {{2, 5, 3}}},
        {"global_average1d", GlobalAveragePooling1D(), {{2, 5, 3}}},
        {"global_max1d", GlobalMaxPooling1D(), {{2, 5, 3}}},
        {"permute", Permute({2, 1}), {{2, 3, 4}}},
        {"repeat", RepeatVector(3), {{2, 4}}},
        {"elu", ELU(0.5f), {{4, 5}}},
        {"subtract", Subtract(), {{2, 3}, {2, 3}}},
        {"average_of", Average(), {{2, 3}, {2, 3}, {2, 3}}},
        {"maximum", Maximum(), {{2, 3}, {2, 3}, {2, 3}}},
        {"minimum", Minimum(), {{2, 3}, {2, 3}}},
        {"dot", Dot(2, 1), {{2, 3, 4}, {2, 4}}},
        {"dot_normalized", Dot(1, {.normalize = true}), {{3, 4}, {3, 4}}},
        {"dot_first_axis", Dot(1), {{2, 4, 3}, {2, 4, 2}}},
        {"lambda", Lambda([](const Tensor& x) { return x * x; }), {{2, 3}}},
        {"conv_relu_pool_chain",
         Sequential{Conv2D(3, 3, {.activation = Activation::relu}), MaxPooling2D(2), BatchNormalization(), ReLU(),
                    Flatten(), Dense(3), ReLU(), Dense(2)},
         {{3, 8, 8, 2}}},
        {"graph", Model(in, Dense(2)(Flatten()(Add()({in, twice(Activation("tanh")(twice(in)))})))), {{2, 5, 5, 2}}},
    };
    for (int kind = 0; kind <= Activation::exponential; ++kind)
        cases.push_back({std::string(Activation::name_of(static_cast<Activation::Kind>(kind))),
                         Activation(static_cast<Activation::Kind>(kind)),
                         {{4, 5}}});
    return cases;
}

/// What is differentiated: the outputs weighted by fixed numbers.
Tensor weighted(const GradientCase& c, const std::vector<Tensor>& inputs) {
    const Tensor y = c.layer(inputs, c.training)[0];
    return (y * values(y.shape(), DType::f64, 55)).sum();
}

TEST(LayerGradients, AgreeWithFiniteDifferences) {
    for (const GradientCase& c : gradient_cases()) {
        SCOPED_TRACE(c.label);
        std::vector<Tensor> inputs;
        std::vector<Shape> samples;
        for (const Shape& shape : c.inputs) {
            inputs.push_back(values(shape, DType::f64, 10 + inputs.size()));
            inputs.back().set_requires_grad();
            samples.push_back(shape.range(1, shape.rank()));
        }
        c.layer.build(samples);
        fill_parameters(c.layer);
        make_f64(c.layer);
        weighted(c, inputs).backward();

        NamedTensors checked = c.layer.parameters();
        for (const Tensor& input : inputs) checked.emplace_back("input", input);
        for (const auto& [name, tensor] : checked) {
            ASSERT_TRUE(tensor.grad().defined()) << name;
            std::vector<double> numeric;
            const NoGrad no_grad;
            for (std::int64_t i = 0; i < tensor.elements(); ++i) {
                constexpr double step = 1e-6;
                double& element = tensor.data<double>()[i];
                const double before = element;
                element = before + step;
                const double above = weighted(c, inputs).item();
                element = before - step;
                const double below = weighted(c, inputs).item();
                element = before;
                numeric.push_back((above - below) / (2 * step));
            }
            const std::vector<double> exact = numbers(tensor.grad());
            double scale = 1e-3;
            for (const double value : numeric) scale = std::max(scale, std::abs(value));
            for (std::size_t i = 0; i < exact.size(); ++i)
                EXPECT_NEAR(exact[i], numeric[i], 1e-7 * scale) << name << " " << i;
        }
    }
}

TEST(LayerGradients, DropoutScalesAsForwardDid) {
    Tensor x = values({10, 10}) + 2.0;
    x = x.detach();
    x.set_requires_grad();
    set_seed(5);
    const Tensor y = heddle::Dropout(0.4f)(x, true);
    y.sum().backward();
    const std::vector<double> in = numbers(x), out = numbers(y), gradient = numbers(x.grad());
    for (std::size_t i = 0; i < in.size(); ++i) EXPECT_NEAR(gradient[i], out[i] / in[i], 1e-6);
}

}  // namespace
}  // namespace heddle
