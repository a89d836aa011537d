#include "support.h"

// Layers that users write.
namespace heddle {
namespace {

using namespace layer_tests;

// As the documentation of layers/layer.h shows it.
class Scale : public Layer {
    struct Impl : LayerImpl {
        Tensor factor;
        const char* class_name() const override { return "Scale"; }
        void build(const Shape& input) override { factor = add_parameter("factor", Tensor::ones(Shape{input.back()})); }
        Tensor forward(const Tensor& x, bool) override { return x * factor; }
    };

  public:
    Scale() : Layer(std::make_shared<Impl>()) {}
};

/// With settings, an inner layer and a description.
class Gate : public Layer {
    struct Impl : LayerImpl {
        double sharpness;
        Dense gate;
        Impl(double s, std::int64_t units) : sharpness(s), gate(units) { add_child("gate", gate); }
        const char* class_name() const override { return "Gate"; }
        void build(const Shape& input) override { gate.build({input}); }
        Tensor forward(const Tensor& x, bool training) override {
            return x * activate(Activation::sigmoid, gate(x, training) * sharpness);
        }
        Config config() const override { return Config().set("sharpness", sharpness).set("gate", gate.config()); }
    };

  public:
    Gate(double sharpness, std::int64_t units) : Layer(std::make_shared<Impl>(sharpness, units)) {}
    static Layer from(const Config& config) {
        return Gate(config.at("sharpness").number(), config.at("gate").at("config").at("units").integer());
    }
};

TEST(UserLayers, RunInAModelAndTrain) {
    const Scale scale;
    const Tensor x = values({4, 3});
    EXPECT_EQ(numbers(scale(x)), numbers(x));
    EXPECT_EQ(names(scale.parameters()), std::vector<std::string>{"factor"});
    EXPECT_EQ(scale->output_shape({3}), (Shape{3}));
    scale(x).sum().backward();
    EXPECT_LT(relative_error(scale.parameters()[0].second.grad(), x.sum(0)), 1e-6);

    const Sequential model{Scale(), Gate(2, 3), Scale()};
    model(x);
    EXPECT_EQ(names(model.parameters()),
              (std::vector<std::string>{"0.factor", "1.gate.weight", "1.gate.bias", "2.factor"}));
}

TEST(UserLayers, AreDescribedOnceRegistered) {
    const Sequential model{Gate(2, 3)};
    model(values({4, 3}));
    EXPECT_EQ(error_of([] { Layer::from_config(Sequential{Gate(1, 2)}.config()); }),
              "unknown layer class \"Gate\": call register_layer(\"Gate\", ...) first");
    register_layer("Gate", Gate::from);
    const Layer copy = model.clone();
    EXPECT_EQ(numbers(copy(values({4, 3}))), numbers(model(values({4, 3}))));
    EXPECT_EQ(copy.config(), model.config());
    EXPECT_EQ(error_of([] { Scale().clone(); }),
              "Scale: this layer cannot be described, so it cannot be saved as a whole or cloned; override config() "
              "and call register_layer(), or save the weights alone");
}

TEST(UserLayers, ErrorsInsideNameThePath) {
    const Sequential model{Gate(2, 3)};
    model(values({4, 3}));
    EXPECT_EQ(error_of([&] { model(values({4, 2})); }).find("Dense \"0/gate\": "), 0u);
}

TEST(UserLayers, OneInputIsTheDefault) {
    EXPECT_EQ(error_of([] { Scale()->output_shapes({{1}, {1}}); }), "Scale: expected one input, got 2");
    EXPECT_EQ(error_of([] {
                  Scale()(std::vector{values({1, 1}), values({1, 1})});
              }),
              "Scale: expected one input, got 2");
    EXPECT_EQ(error_of([] { Add()(values({1, 1})); }), "Add: forward is not defined for one input");
}

TEST(Lambdas, FindTheirShape) {
    const Sequential model{Lambda([](const Tensor& x) { return x.reshape(Shape{x.size(0), 6}); }), Dense(2)};
    EXPECT_EQ(model(values({4, 2, 3})).shape(), (Shape{4, 2}));
    EXPECT_NE(error_of([] {
                  Lambda([](const Tensor& x) { return x.reshape(Shape{7}); }, {}, "odd")->output_shape({2});
              }).find("give it an output_shape: the function fails on zeros [1, 2]"),
              std::string::npos);
}

}  // namespace
}  // namespace heddle
