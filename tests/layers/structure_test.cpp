#include <algorithm>

#include "layers/containers.h"
#include "support.h"

// Building, names, sharing, freezing, and the paths in error messages.
namespace heddle {
namespace {

using namespace layer_tests;

TEST(Building, MakesParametersOnceAndNamesThem) {
    const Conv2D conv(4, {3, 5}, {.groups = 2});
    EXPECT_TRUE(conv.parameters().empty());
    EXPECT_FALSE(conv->built());
    conv.build({{8, 8, 6}});
    ASSERT_EQ(names(conv.parameters()), (std::vector<std::string>{"weight", "bias"}));
    EXPECT_EQ(conv.parameters()[0].second.shape(), (Shape{4, 3, 5, 3}));
    EXPECT_EQ(conv.parameters()[1].second.shape(), (Shape{4}));
    EXPECT_EQ(conv.parameter_count(), 4 * 3 * 5 * 3 + 4);
    EXPECT_EQ(conv->built_for(), (std::vector<Shape>{{8, 8, 6}}));
    const Tensor weight = conv.parameters()[0].second;
    conv.build({{9, 9, 6}});
    EXPECT_TRUE(weight.is_same(conv.parameters()[0].second));

    const Dense dense(5, {.use_bias = false});
    dense(values({2, 3}));
    EXPECT_EQ(names(dense.parameters()), std::vector<std::string>{"weight"});
    EXPECT_EQ(dense.parameters()[0].second.shape(), (Shape{5, 3}));
    EXPECT_TRUE(dense.parameters()[0].second.requires_grad());

    const BatchNormalization norm({.center = false});
    norm(values({2, 3}));
    EXPECT_EQ(names(norm.parameters()), std::vector<std::string>{"weight"});
    EXPECT_EQ(names(norm.buffers()), (std::vector<std::string>{"running_mean", "running_var"}));
    EXPECT_FALSE(norm.buffers()[0].second.requires_grad());
}

TEST(Building, LayersMayBeAddedOneByOne) {
    const Dense shared(3);
    const Sequential at_once{Dense(3, {.name = "first"}), ReLU(), shared, shared}, model;
    model.add(Dense(3, {.name = "first"}));
    model.add(ReLU());
    model.add(shared);
    model.add(shared);
    EXPECT_EQ(error_of([&] { model.add(Layer()); }), "Sequential: layer 4 is empty");
    EXPECT_EQ(error_of([&] { model.add(Dense(1, {.name = "first"})); }), "Sequential: two layers are called \"first\"");
    EXPECT_EQ(model.config(), at_once.config());
    model.build(Shape{2});
    at_once.build(Shape{2});
    EXPECT_EQ(names(model.parameters()), names(at_once.parameters()));
    EXPECT_EQ(error_of([&] { model.add(ReLU()); }),
              "Sequential: it is built already; add layers before it is called or fitted");
}

TEST(Building, ActivationsHaveNames) {
    const std::string name = "gelu";
    const Activation::Kind kind = DenseOptions{.activation = name}.activation;
    EXPECT_EQ(kind, Activation::gelu);
    EXPECT_TRUE(DenseOptions{}.activation == Activation::linear);
    for (const auto& [by_name, by_kind] : std::vector<std::pair<Layer, Layer>>{
             {Dense(2, {.activation = "relu"}), Dense(2, {.activation = Activation::relu})},
             {Conv2D(2, 3, {.activation = "tanh"}), Conv2D(2, 3, {.activation = Activation::tanh})},
             {Conv2DTranspose(2, 3, {.activation = "elu"}), Conv2DTranspose(2, 3, {.activation = Activation::elu})},
             {Conv1D(2, 3, {.activation = "silu"}), Conv1D(2, 3, {.activation = Activation::silu})},
             {SimpleRNN(2, {.activation = "relu"}), SimpleRNN(2, {.activation = Activation::relu})}})
        EXPECT_EQ(by_name.config(), by_kind.config());
    EXPECT_EQ(error_of([] { Dense(2, {.activation = "rleu"}); }),
              "unknown activation \"rleu\": expected one of linear, relu, leaky_relu, elu, selu, sigmoid, tanh, gelu, "
              "silu, softplus, softsign, softmax, log_softmax, exponential");
}

TEST(Names, GetLayerByNameAndPlace) {
    const Dense first(3, {.name = "first"}), last(2);
    const Sequential chain{first, ReLU(), last};
    EXPECT_TRUE(chain.get_layer("first") == first);
    EXPECT_TRUE(chain.get_layer("2") == last);
    EXPECT_TRUE(chain.get_layer(0) == first);
    EXPECT_TRUE(chain.get_layer(-1) == last);
    EXPECT_EQ(error_of([&] { chain.get_layer("second"); }),
              "Sequential: no layer is called \"second\"; there are: first, 1, 2");
    EXPECT_EQ(error_of([&] { chain.get_layer(3); }), "Sequential: there is no layer 3: the model has 3");
    EXPECT_EQ(error_of([&] { chain.get_layer(-4); }), "Sequential: there is no layer -4: the model has 3");
    const Symbol in = Input({4});
    const Model graph(in, last(ReLU()(first(in))));
    EXPECT_TRUE(graph.get_layer("first") == first);
    EXPECT_TRUE(graph.get_layer(2) == last);
    EXPECT_EQ(error_of([&] { graph.get_layer("head"); }),
              "Functional: no layer is called \"head\"; there are: first, 1, 2");
    EXPECT_THROW(Model().get_layer(0), Error);
}

TEST(Building, AFailedBuildCanBeTriedAgain) {
    const Sequential model{Dense(4), Conv2D(2, 3)};
    EXPECT_THROW(model(values({2, 3})), Error);
    EXPECT_THROW(model(values({2, 3})), Error);
    EXPECT_EQ(model.parameters().size(), 2u);

    struct Fussy : LayerImpl {
        int tries = 0;
        const char* class_name() const override { return "Fussy"; }
        void build(const Shape&) override {
            add_parameter("weight", Tensor::ones({1}));
            if (++tries == 1) fail("not now");
        }
        Tensor forward(const Tensor& x, bool) override { return x; }
    };
    const Layer fussy(std::make_shared<Fussy>());
    EXPECT_THROW(fussy(values({2, 3})), Error);
    fussy(values({2, 3}));
    EXPECT_EQ(fussy.parameters().size(), 1u);
}

TEST(Names, ArePathsByPositionOrAsGiven) {
    const Sequential model{Conv2D(2, 3), Sequential{BatchNormalization(), Dense(3, {.name = "head"})}};
    model(values({1, 4, 4, 1}));
    EXPECT_EQ(names(model.parameters()), (std::vector<std::string>{"0.weight", "0.bias", "1.0.weight", "1.0.bias",
                                                                   "1.head.weight", "1.head.bias"}));
    EXPECT_EQ(names(model.buffers()), (std::vector<std::string>{"1.0.running_mean", "1.0.running_var"}));
    EXPECT_EQ(error_of([] {
                  Sequential{Dense(1, {.name = "a"}), Dense(1, {.name = "a"})};
              }),
              "Sequential: two layers are called \"a\"");
    EXPECT_EQ(error_of([] {
                  const Symbol in = Input({2});
                  Model(in, Dense(1, {.name = "a"})(Dense(1, {.name = "a"})(in)));
              }),
              "Functional: two layers are called \"a\"");
    EXPECT_EQ(error_of([] { Sequential{Dense(1), Layer()}; }), "Sequential: layer 1 is empty");
    EXPECT_EQ(error_of([] { Sequential().build(Shape{2}); }), "Sequential: there are no layers");
}

TEST(Names, PositionsAreTheContainersOwn) {
    // Each layer stood in another container, at another place, before.
    const Dense encoder(2), decoder(3);
    const Sequential whole{encoder, decoder};
    const Sequential reversed{decoder, encoder};
    const Sequential later{ReLU(), decoder};
    reversed(values({1, 4}));
    EXPECT_EQ(names(reversed.parameters()), (std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias"}));
    EXPECT_EQ(names(later.parameters()), (std::vector<std::string>{"1.weight", "1.bias"}));
    const Sequential again{decoder};
    EXPECT_EQ(names(again.parameters()), (std::vector<std::string>{"0.weight", "0.bias"}));
}

TEST(Errors, NameTheLayersPath) {
    const Layer conv = Conv2D(8, 1, {.name = "conv1"});
    conv.build({{16, 16, 32}});
    const Layer model = make_chain({make_chain({make_chain({conv}, "block0")}, "stage2")});
    const std::string expected =
        "Conv2D \"stage2/block0/conv1\": expected input channels 32, got 16 (input shape [2, 16, 16, 16])";
    EXPECT_EQ(error_of([&] { model(values({2, 16, 16, 16})); }), expected);
    EXPECT_EQ(error_of([&] { model.build({{16, 16}}); }), "no error");  // built; a second build does nothing

    // The same from a fused pair, and while building.
    const Layer fused = make_chain({conv, ReLU()}, "stem");
    fused.build({{16, 16, 32}});
    EXPECT_EQ(error_of([&] {
                  fused(values({2, 16, 16, 16}));
              }),
              "Conv2D \"stem/conv1\": expected input channels 32, got 16 (input shape [2, 16, 16, 16])");
    const Sequential unbuilt{Dense(4), Sequential{ReLU(), Conv2D(2, 3)}};
    EXPECT_EQ(error_of([&] {
                  unbuilt(values({2, 3}));
              }),
              "Conv2D \"1/1\": expected pictures [height, width, channels], got [4]");

    const Symbol in = Input({4});
    const Model graph(in, Dense(2, {.name = "out"})(Dense(3, {.name = "hidden"})(in)), "net");
    EXPECT_NE(error_of([&] { graph(values({2, 5})); }).find("Dense \"net/hidden\": "), std::string::npos);

    const BatchNormalization norm({.name = "bn"});
    norm(values({2, 3}));
    EXPECT_EQ(error_of([&] { norm(values({2, 4}), true, {.relu = true}); }).find("BatchNormalization \"bn\": "), 0u);
}

TEST(Sharing, HandlesAndCallsShareWeights) {
    const Dense dense(3);
    const Layer handle = dense;
    EXPECT_TRUE(handle == dense);
    const Tensor x = values({2, 3});
    const Tensor y = dense(x);
    handle.parameters()[1].second.fill_(10);
    EXPECT_LT(relative_error(dense(x), y + 10.0), 1e-6);

    // Called twice: both calls add to one gradient.
    dense.zero_grad();
    dense(dense(x)).sum().backward();
    const Tensor twice = dense.parameters()[1].second.grad();
    const Tensor weight = dense.parameters()[0].second;
    const Tensor expected = (weight.detach().sum(0) + 1.0) * 2.0;
    EXPECT_LT(relative_error(twice, expected), 1e-5);
    dense.zero_grad();
    EXPECT_FALSE(dense.parameters()[0].second.grad().defined());
}

TEST(Sharing, ALayerTwiceInAChainCountsOnce) {
    const Dense dense(3, {.name = "shared"});
    const Sequential model{dense, ReLU(), dense};
    model(values({2, 3}));
    EXPECT_EQ(model.parameter_count(), 12);
    const Layer copy = model.clone();
    EXPECT_EQ(copy.parameter_count(), 12);
    EXPECT_TRUE(copy->children()[0].second == copy->children()[2].second);
    EXPECT_LT(relative_error(copy(values({2, 3})), model(values({2, 3}))), 1e-7);
    EXPECT_EQ(copy.config(), model.config());
}

TEST(Freezing, StopsGradientsAndRunningStatistics) {
    const Sequential model{Dense(4), BatchNormalization(), Dense(2)};
    const Tensor x = values({8, 3});
    model(x);
    const Layer norm = model->children()[1].second;
    norm.set_trainable(false);
    norm.buffers()[0].second.fill_(0.25);
    const Tensor trained = model(x, true), inferred = model(x, false);
    EXPECT_EQ(numbers(trained), numbers(inferred));
    EXPECT_EQ(numbers(norm.buffers()[0].second), std::vector<double>(4, 0.25));
    trained.sum().backward();
    for (const auto& [name, tensor] : model.parameters())
        EXPECT_EQ(tensor.grad().defined(), !name.starts_with("1.")) << name;

    model.set_trainable(false);
    EXPECT_FALSE(model(x, true).requires_grad());
    model.set_trainable(true);
    EXPECT_TRUE(model(x, true).requires_grad());
    EXPECT_NE(numbers(model(x, true)), numbers(model(x, false)));

    const Dense early(2);
    early.set_trainable(false);
    early(x);
    EXPECT_FALSE(early.parameters()[0].second.requires_grad());
}

TEST(BatchNorm, MovesItsStatisticsAsKerasOrPyTorchDoes) {
    const Tensor x = Tensor::from<float>({1, 2, 3, 6}, {4, 1});  // mean 3, variance 3.5 (unbiased 14 / 3)
    const BatchNormalization keras, pytorch({.momentum = 0.9f, .epsilon = 1e-5f, .unbiased_running_variance = true});
    const Tensor y = keras(x, true);
    EXPECT_NEAR(numbers(y)[3], 3 / std::sqrt(3.5 + 1e-3), 1e-6);
    EXPECT_NEAR(keras.buffers()[0].second.item(), 0.03, 1e-7);
    EXPECT_NEAR(keras.buffers()[1].second.item(), 0.99 + 0.035, 1e-6);
    pytorch(x, true);
    EXPECT_NEAR(pytorch.buffers()[0].second.item(), 0.3, 1e-6);
    EXPECT_NEAR(pytorch.buffers()[1].second.item(), 0.9 + 0.1 * 14 / 3, 1e-6);
}

TEST(Dropout, DropsAndScalesInTrainingOnly) {
    const heddle::Dropout dropout(0.25f);
    const Tensor x = Tensor::ones({100, 100});
    EXPECT_TRUE(dropout(x, false).is_same(x));
    set_seed(3);
    const std::vector<double> y = numbers(dropout(x, true));
    const auto dropped = static_cast<double>(std::count(y.begin(), y.end(), 0.0));
    EXPECT_NEAR(dropped / 10000, 0.25, 0.02);
    for (const double value : y) EXPECT_TRUE(value == 0 || std::abs(value - 1 / 0.75) < 1e-6);
}

}  // namespace
}  // namespace heddle
