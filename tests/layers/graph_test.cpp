#include <algorithm>

#include "layers/containers.h"
#include "support.h"

// Functional models, and fused pairs against the layers one by one.
namespace heddle {
namespace {

using namespace layer_tests;

/// The layers one by one: what a container must compute, fused or not.
Tensor one_by_one(const Layer& chain, const Tensor& x, bool training) {
    Tensor h = x;
    for (const auto& [name, layer] : chain->children()) h = layer(h, training);
    return h;
}

struct Results {
    Tensor y;
    NamedTensors gradients;
};

Results results_of(const Layer& layer, const std::function<Tensor(const Tensor&)>& forward, const Shape& input) {
    Tensor x = values(input);
    x.set_requires_grad();
    layer.zero_grad();
    Results results{forward(x), {}};
    (results.y * values(results.y.shape(), DType::f32, 77)).sum().backward();
    results.gradients.emplace_back("x", x.grad());
    for (const auto& [name, tensor] : layer.parameters()) results.gradients.emplace_back(name, tensor.grad());
    return results;
}

struct Pair {
    std::string label;
    std::vector<Layer> layers;
    Shape input;
};

std::vector<Pair> pairs() {
    const auto relu = Activation::relu;
    return {
        {"conv_relu_pool", {Conv2D(8, 3, {.activation = relu}), MaxPooling2D(2)}, {4, 10, 10, 3}},
        {"conv_relu_pool_16",
         {Conv2D(16, 3, {.padding = Padding::same, .activation = relu}), MaxPooling2D(2)},
         {2, 9, 9, 16}},
        {"conv_relu_pool_overlapping",
         {Conv2D(4, 3, {.activation = relu}), MaxPooling2D(3, {.strides = 2, .padding = Padding::same})},
         {2, 9, 9, 2}},
        {"conv_relu_without_bias", {Conv2D(8, 3, {.use_bias = false}), ReLU()}, {2, 7, 7, 3}},
        {"conv_then_relu", {Conv2D(8, 3), ReLU()}, {2, 7, 7, 3}},
        {"conv_tanh_pool", {Conv2D(4, 3, {.activation = Activation::tanh}), MaxPooling2D(2)}, {2, 8, 8, 2}},
        {"conv_relu_average", {Conv2D(4, 3, {.activation = relu}), AveragePooling2D(2)}, {2, 8, 8, 2}},
        {"dense_relu", {Dense(16), ReLU()}, {8, 12}},
        {"dense_gelu", {Dense(16), Activation("gelu")}, {8, 12}},
        {"norm_relu", {BatchNormalization(), ReLU()}, {4, 6, 6, 16}},
        {"norm_relu_odd", {BatchNormalization(), ReLU()}, {4, 6, 6, 5}},
        {"norm_tanh", {BatchNormalization(), Activation("tanh")}, {4, 6}},
        {"norm_pool", {BatchNormalization(), MaxPooling2D(2)}, {4, 6, 7, 5}},
        {"norm_relu_pool_overlapping",
         {BatchNormalization(), ReLU(), MaxPooling2D(3, {.strides = 2, .padding = Padding::pixels(1)})},
         {3, 9, 8, 16}},
        {"conv_norm_relu_pool", {Conv2D(8, 3), BatchNormalization(), ReLU(), MaxPooling2D(2)}, {4, 8, 8, 3}},
    };
}

void expect_same(const Results& got, const Results& expected) {
    EXPECT_LT(relative_error(got.y, expected.y), 1e-6);
    ASSERT_EQ(got.gradients.size(), expected.gradients.size());
    for (std::size_t i = 0; i < got.gradients.size(); ++i) {
        const auto& [name, gradient] = got.gradients[i];
        ASSERT_TRUE(gradient.defined()) << name;
        // Before a batch norm the gradient of a convolution's bias is zero up to rounding.
        if (name == "0.bias" && got.gradients.size() > 4) continue;
        EXPECT_LT(relative_error(gradient, expected.gradients[i].second), 1e-5) << name;
    }
}

TEST(FusedPairs, GiveWhatTheLayersGiveOneByOne) {
    for (const Pair& pair : pairs())
        for (const bool training : {true, false}) {
            SCOPED_TRACE(pair.label + (training ? " training" : " inference"));
            const Layer chain = make_chain(pair.layers);
            chain.build({pair.input.range(1, pair.input.rank())});
            fill_parameters(chain);
            const Layer reference = chain.clone();
            const Results expected = results_of(
                reference, [&](const Tensor& x) { return one_by_one(reference, x, training); }, pair.input);
            expect_same(results_of(
                            chain, [&](const Tensor& x) { return chain(x, training); }, pair.input),
                        expected);
            for (std::size_t i = 0; i < chain.buffers().size(); ++i)
                EXPECT_LT(relative_error(chain.buffers()[i].second, reference.buffers()[i].second), 1e-6);

            Symbol h = Input(pair.input.range(1, pair.input.rank())), in = h;
            const Layer layers = reference.clone();
            if (training) {  // the reference's statistics have moved
                for (const auto& [name, buffer] : layers.buffers()) buffer.fill_(name.ends_with("mean") ? 0 : 1);
            }
            for (const auto& [name, layer] : layers->children()) h = layer(h);
            const Model graph(in, h);
            expect_same(results_of(
                            graph, [&](const Tensor& x) { return graph(x, training); }, pair.input),
                        expected);
        }
}

TEST(FusedPairs, ResidualNormIsNormPlusResidual) {
    const BatchNormalization norm;
    norm.build({{5, 5, 16}});
    fill_parameters(norm);
    Tensor residual = values({4, 5, 5, 16}, DType::f32, 9);
    residual.set_requires_grad();
    const auto gradient_of = [&](const std::function<Tensor(const Tensor&)>& forward) {
        residual.zero_grad();
        Results results = results_of(norm, forward, {4, 5, 5, 16});
        results.gradients.emplace_back("residual", residual.grad());
        return results;
    };
    const Results expected =
        gradient_of([&](const Tensor& x) { return activate(Activation::relu, norm(x, true) + residual); });
    expect_same(gradient_of([&](const Tensor& x) { return norm(x, true, {.residual = residual, .relu = true}); }),
                expected);
}

TEST(Graphs, BranchesJoinAndSharedLayersShare) {
    const Symbol in = Input({4});
    const Dense shared(4), left(3), right(3);
    const Symbol trunk = shared(in);
    const Symbol out = Add()({left(ReLU()(trunk)), right(shared(trunk))});
    EXPECT_EQ(out.shape(), (Shape{3}));
    const Model model(in, out);
    const auto by_hand = [&](const Tensor& x) {
        const Tensor t = shared(x);
        return left(activate(Activation::relu, t)) + right(shared(t));
    };
    EXPECT_EQ(model.parameters().size(), 6u);
    expect_same(results_of(model, [&](const Tensor& x) { return model(x); }, {5, 4}),
                results_of(model, by_hand, {5, 4}));
}

TEST(Graphs, AValueThatIsAnOutputIsNotFusedAway) {
    const Symbol in = Input({8, 8, 2});
    const Symbol features = Conv2D(4, 3)(in);
    const Model model({in}, {ReLU()(features), features});
    const std::vector<Tensor> y = model(std::vector{values({2, 8, 8, 2})});
    ASSERT_EQ(y.size(), 2u);
    EXPECT_LT(relative_error(y[0], activate(Activation::relu, y[1])), 1e-7);
    const std::vector<double> before = numbers(y[1]);
    EXPECT_LT(*std::min_element(before.begin(), before.end()), 0);
    EXPECT_NE(error_of([&] { model(values({2, 8, 8, 2})); }).find("the model has 2 outputs"), std::string::npos);
}

TEST(Graphs, SeveralInputs) {
    const Symbol a = Input({3}), b = Input({2});
    const Model model({a, b}, {Dense(1)(Concatenate()({a, b}))});
    const Tensor x = values({4, 3}), z = values({4, 2}, DType::f32, 2);
    const Tensor y = model(std::vector{x, z})[0];
    EXPECT_EQ(y.shape(), (Shape{4, 1}));
    EXPECT_EQ(model->output_shapes({{3}, {2}}), (std::vector<Shape>{{1}}));
    EXPECT_EQ(error_of([&] { model(x); }), "Functional: expected 2 inputs, got 1");
    EXPECT_EQ(error_of([&] { model->output_shapes({{3}}); }), "Functional: expected 2 inputs, got 1");
    EXPECT_EQ(numbers(model.clone()(std::vector{x, z})[0]), numbers(y));
}

/// Halves: two outputs.
class Halves : public Layer {
    struct Impl : LayerImpl {
        const char* class_name() const override { return "Halves"; }
        std::vector<Tensor> forward(const std::vector<Tensor>& inputs, bool) override {
            return {inputs[0] * 0.5, inputs[0] * -0.5};
        }
        std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
            return {inputs[0], inputs[0]};
        }
        Config config() const override { return {}; }
    };

  public:
    Halves() : Layer(std::make_shared<Impl>()) {}
};

TEST(Graphs, LayersOfSeveralOutputs) {
    register_layer("Halves", [](const Config&) { return Halves(); });
    const Symbol in = Input({3});
    const std::vector<Symbol> halves = Halves().outputs({in});
    ASSERT_EQ(halves.size(), 2u);
    const Symbol first_only = Halves()(in);
    const Model model({in}, {Multiply()({halves[1], ReLU()(first_only)}), halves[0]});
    const Tensor x = Tensor::from<float>({-2, 4, 6}, {1, 3});
    for (const Layer& layer : {Layer(model), model.clone()}) {
        const std::vector<Tensor> y = layer(std::vector{x});
        EXPECT_EQ(numbers(y[0]), (std::vector<double>{0, -4, -9}));
        EXPECT_EQ(numbers(y[1]), (std::vector<double>{-1, 2, 3}));
    }
}

TEST(Graphs, BadGraphsAreRefused) {
    const Symbol in = Input({3}), other = Input({3});
    EXPECT_EQ(error_of([&] { Model(in, Dense(1)(other)); }),
              "Model: an output depends on an Input() that is not among the inputs");
    EXPECT_EQ(error_of([&] { Model({in, in}, {Dense(1)(in)}); }), "Model: an input is listed twice");
    EXPECT_EQ(error_of([&] { Model(Dense(1)(in), Dense(1)(in)); }), "Model: the inputs must be made by Input()");
    EXPECT_EQ(error_of([&] { Model(in, Symbol()); }), "Model: an output is an empty symbol");
    EXPECT_EQ(error_of([] { Dense(1)(Symbol()); }), "a layer was called with an empty symbol");
}

}  // namespace
}  // namespace heddle
