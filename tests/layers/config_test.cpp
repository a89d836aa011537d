#include "support.h"

// config(), from_config() and clone() of every class.
namespace heddle {
namespace {

using namespace layer_tests;

struct ConfigCase {
    Layer layer;
    Shape input;
};

std::vector<ConfigCase> config_cases() {
    const Padding same = Padding::same, given = Padding::pixels(0, 1, 2, 1);
    const Conv2DOptions everything{.strides = {2, 1},
                                   .padding = given,
                                   .dilation_rate = {1, 2},
                                   .groups = 2,
                                   .activation = Activation::gelu,
                                   .use_bias = true,
                                   .kernel_initializer = Initializer::he_normal,
                                   .bias_initializer = {Initializer::constant, 0.25},
                                   .name = "conv"};
    const Symbol in = Input({6, 6, 2});
    const Conv2D twice(2, 1);
    return {
        {Conv2D(4, {3, 2}, everything), {6, 6, 2}},
        {Conv2D(4, 3, {.padding = same, .use_bias = false}), {6, 6, 2}},
        {Dense(5, {.activation = Activation::tanh,
                   .use_bias = false,
                   .kernel_initializer = {Initializer::random_uniform, 0.125},
                   .name = "head"}),
         {6}},
        {Dense(2), {6}},
        {Flatten(), {2, 3}},
        {Reshape({2, -1}), {6}},
        {heddle::Dropout(0.3f), {6}},
        {Rescaling(1.0 / 255, -0.1), {6}},
        {InputLayer({6, 2}), {6, 2}},
        {Activation("softplus"), {6}},
        {ReLU("act"), {6}},
        {Softmax(), {6}},
        {LeakyReLU(0.07f), {6}},
        {MaxPooling2D({2, 3}, {.strides = Size2{1, 2}, .padding = same}), {6, 6, 2}},
        {AveragePooling2D(3, {.padding = Padding::pixels(1)}), {6, 6, 2}},
        {GlobalAveragePooling2D(), {6, 6, 2}},
        {GlobalMaxPooling2D("top"), {6, 6, 2}},
        {BatchNormalization(
             {.momentum = 0.9f, .epsilon = 1e-5f, .center = false, .scale = true, .unbiased_running_variance = true}),
         {6}},
        {Conv2D(2, 3, {.kernel_regularizer = L1L2(0.5, 0.25), .kernel_constraint = MaxNorm(1.5)}), {6, 6, 2}},
        {Dense(2, {.bias_regularizer = L2(0.1), .kernel_constraint = NonNeg()}), {6}},
        {Conv2DTranspose(3, {3, 2},
                         {.strides = {2, 3},
                          .padding = same,
                          .output_padding = Size2(1, 2),
                          .activation = Activation::elu,
                          .use_bias = false,
                          .kernel_regularizer = L1(0.1)}),
         {6, 6, 2}},
        {Conv2DTranspose(3, 2), {6, 6, 2}},
        {UpSampling2D({2, 3}, {.interpolation = Interpolation::bilinear}), {3, 3, 2}},
        {UpSampling2D(), {3, 3, 2}},
        {ZeroPadding2D({1, 2, 0, 3}), {6, 6, 2}},
        {Cropping2D({1, 2}), {6, 6, 2}},
        {Conv1D(4, 3,
                {.strides = 2,
                 .padding = Padding::causal,
                 .dilation_rate = 2,
                 .groups = 2,
                 .activation = Activation::tanh,
                 .kernel_regularizer = L2(0.5),
                 .kernel_constraint = UnitNorm()}),
         {8, 2}},
        {MaxPooling1D(3, {.strides = 2, .padding = same}), {8, 2}},
        {AveragePooling1D(), {8, 2}},
        {GlobalAveragePooling1D(), {8, 2}},
        {GlobalMaxPooling1D("top"), {8, 2}},
        {GaussianNoise(0.5f), {6}},
        {Permute({2, 3, 1}), {6, 5, 2}},
        {RepeatVector(3), {6}},
        {ELU(0.5f), {6}},
        {Sequential{Conv2D(4, 3), BatchNormalization(), ReLU(), Sequential{Flatten(), Dense(3)}}, {6, 6, 2}},
        {Model(in, Dense(3)(Flatten()(Concatenate(-1)({twice(in), twice(twice(in)), Multiply()({in, in})})))),
         {6, 6, 2}},
    };
}

Tensor batch_of(const Shape& sample) {
    Shape shape{3};
    for (const std::int64_t extent : sample) shape.push_back(extent);
    return values(shape);
}

TEST(Configs, EveryClassComesBack) {
    for (const ConfigCase& c : config_cases()) {
        const Config config = c.layer.config();
        SCOPED_TRACE(config.to_json());
        // Through text, as files carry it.
        const Layer back = Layer::from_config(Config::parse(config.to_json()));
        EXPECT_EQ(back.config(), config);
        EXPECT_STREQ(back->class_name(), c.layer->class_name());
        c.layer(batch_of(c.input));
        back(batch_of(c.input));
        EXPECT_EQ(names(back.parameters()), names(c.layer.parameters()));
        EXPECT_EQ(names(back.buffers()), names(c.layer.buffers()));
        EXPECT_EQ(back->output_shapes({c.input}), c.layer->output_shapes({c.input}));
    }
    for (const Layer& merge :
         {Layer(Add("sum")), Layer(Multiply()), Layer(Concatenate(2)), Layer(Subtract()), Layer(Average()),
          Layer(Maximum()), Layer(Minimum()), Layer(Dot(2, 1, {.normalize = true}))})
        EXPECT_EQ(Layer::from_config(merge.config()).config(), merge.config());
}

TEST(Configs, KeepInitializersWithTheirValues) {
    const Dense dense(3, {.kernel_initializer = {Initializer::constant, 0.5}, .bias_initializer = "ones"});
    const Layer back = Layer::from_config(dense.config());
    EXPECT_EQ(numbers(back(Tensor::ones({1, 4}))), (std::vector<double>{3, 3, 3}));
}

TEST(Configs, KeepWhatIsFrozen) {
    const Sequential model{Dense(4), Sequential{Dense(3), BatchNormalization()}, Dense(2)};
    model->children()[1].second->children()[0].second.set_trainable(false);
    const Layer back = Layer::from_config(Config::parse(model.config().to_json()));
    model(values({2, 3}));
    back(values({2, 3}));
    for (const Layer& layer : {Layer(model), back, model.clone()}) {
        for (const auto& [name, tensor] : layer.parameters())
            EXPECT_EQ(tensor.requires_grad(), !name.starts_with("1.0.")) << name;
        EXPECT_TRUE(layer->trainable());
    }
    // All frozen but the last: the outer layer's flag does not take the last one along.
    model.set_trainable(false);
    model->children()[2].second.set_trainable(true);
    const Layer head_only = model.clone();
    for (const auto& [name, tensor] : head_only.parameters())
        EXPECT_EQ(tensor.requires_grad(), name.starts_with("2.")) << name;
    EXPECT_FALSE(head_only->trainable());
    EXPECT_EQ(head_only.config(), model.config());
}

/// Makes its layer when it is built, and does not describe it.
class Late : public Layer {
    struct Impl : LayerImpl {
        Layer inner;
        const char* class_name() const override { return "Late"; }
        void build(const Shape& input) override {
            inner = add_child("inner", Dense(2));
            inner.build({input});
        }
        Tensor forward(const Tensor& x, bool training) override { return inner(x, training); }
        Shape output_shape(const Shape&) const override { return {2}; }
        Config config() const override { return {}; }
    };

  public:
    Late() : Layer(std::make_shared<Impl>()) {}
};

TEST(Configs, FreezeWhatIsBuiltLater) {
    register_layer("Late", [](const Config&) { return Late(); });
    const Sequential model{Late(), Dense(1)};
    model(values({2, 3}));
    model->children()[0].second->children()[0].second.set_trainable(false);
    const Layer copy = model.clone();
    for (const auto& [name, tensor] : copy.parameters())
        EXPECT_EQ(tensor.requires_grad(), !name.starts_with("0.inner.")) << name;

    const Late frozen;
    frozen.set_trainable(false);
    frozen(values({2, 3}));
    EXPECT_FALSE(frozen.parameters()[0].second.requires_grad());
}

TEST(Clones, AreEqualAndIndependent) {
    for (const ConfigCase& c : config_cases()) {
        SCOPED_TRACE(c.layer.config().to_json());
        const Tensor x = batch_of(c.input);
        c.layer(x, true);  // moves running statistics
        const Layer copy = c.layer.clone();
        EXPECT_FALSE(copy == c.layer);
        const std::vector<double> before = numbers(c.layer(x));
        EXPECT_EQ(numbers(copy(x)), before);
        for (const auto& [name, tensor] : copy.parameters()) tensor.fill_(0.125);
        for (const auto& [name, tensor] : copy.buffers()) tensor.fill_(0.5);
        EXPECT_EQ(numbers(c.layer(x)), before);
    }
    const Dense unbuilt(3);
    EXPECT_FALSE(unbuilt.clone()->built());
}

TEST(Clones, KeepASharedLayerShared) {
    // The encoder stands in two containers.
    const Sequential encoder{Dense(4), ReLU()};
    const Sequential model{Sequential{encoder, Dense(3)}, Sequential{encoder, Dense(1)}};
    const Sequential square{Dense(3), encoder, Dense(3), encoder};
    square(values({2, 3}));
    const Layer copy = square.clone();
    EXPECT_TRUE(copy->children()[1].second == copy->children()[3].second);
    EXPECT_EQ(copy.parameter_count(), square.parameter_count());
    const Layer back = Layer::from_config(Config::parse(model.config().to_json()));
    EXPECT_TRUE(back->children()[0].second->children()[0].second == back->children()[1].second->children()[0].second);
}

TEST(Configs, ErrorsSayWhatToDo) {
    const Sequential model{Dense(2), Lambda([](const Tensor& x) { return x * 2.0; }, {}, "double")};
    const std::string expected =
        "Lambda \"double\": this layer cannot be described, so it cannot be saved as a whole or cloned; override "
        "config() and call register_layer(), or save the weights alone";
    EXPECT_EQ(error_of([&] { model.config(); }), expected);
    EXPECT_EQ(error_of([&] { model.clone(); }), expected);
    EXPECT_EQ(error_of([] { Layer::from_config(Config().set("class", "Conv9D").set("config", Config())); }),
              "unknown layer class \"Conv9D\": call register_layer(\"Conv9D\", ...) first");
    // Which missing setting is read first is the compiler's choice.
    EXPECT_EQ(error_of([] {
                  Layer::from_config(Config().set("class", "Dense").set("config", Config()));
              }).find("Config: there is no \""),
              0u);
    EXPECT_EQ(error_of([] { Layer::from_config(Config().set("same_as", 3)); }),
              "layer 3 is used before it is described");
    EXPECT_EQ(error_of([] { Activation("rleu"); }),
              "unknown activation \"rleu\": expected one of linear, relu, leaky_relu, elu, selu, sigmoid, tanh, gelu, "
              "silu, softplus, softsign, softmax, log_softmax, exponential");
    EXPECT_NE(error_of([] { Dense(1, {.kernel_initializer = "glorot"}); }).find("unknown initializer \"glorot\""),
              std::string::npos);
    EXPECT_EQ(error_of([] { Padding::from_config("full"); }),
              "unknown padding \"full\": expected valid, same, causal or four numbers");
    // After an error, the next description starts afresh.
    EXPECT_EQ(error_of([] { Sequential{Dense(2)}.config(); }), "no error");
    EXPECT_EQ(error_of([] { Layer::from_config(Sequential{Dense(2)}.config()); }), "no error");
}

TEST(Configs, ACopyThatLacksTensorsIsRefused) {
    struct Forgetful : LayerImpl {
        bool has_weight;
        explicit Forgetful(bool has) : has_weight(has) {}
        const char* class_name() const override { return "Forgetful"; }
        void build(const Shape&) override {
            if (has_weight) add_parameter("weight", Tensor::ones({1}));
        }
        Tensor forward(const Tensor& x, bool) override { return x; }
        Config config() const override { return {}; }
    };
    register_layer("Forgetful", [](const Config&) { return Layer(std::make_shared<Forgetful>(false)); });
    const Layer layer(std::make_shared<Forgetful>(true));
    layer(values({1, 1}));
    EXPECT_EQ(error_of([&] { layer.clone(); }),
              "Forgetful: config() does not describe the whole layer: 1 tensors, 0 in the copy");
}

}  // namespace
}  // namespace heddle
