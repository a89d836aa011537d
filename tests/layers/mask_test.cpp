#include "support.h"
#include "tests/devices.h"

// Masks that travel with tensors (ops/mask.h): which layers make them, pass them on and use them. That recurrent layers
// and attention give PyTorch's results with them is tested in pytorch_layers_test.cpp.
namespace heddle {
namespace {

using namespace layer_tests;

Tensor booleans(const std::vector<std::int64_t>& values, const Shape& shape) {
    return Tensor::from(values, shape).to(DType::boolean);
}

std::vector<std::int64_t> mask_numbers(const Tensor& x) {
    const Tensor mask = ops::mask_of(x);
    return mask.defined() ? mask.to_vector<std::int64_t>() : std::vector<std::int64_t>();
}

const std::vector<std::int64_t> some{1, 0, 1, 1, 1, 0};

/// [2, 3, features] with the mask `some`.
Tensor masked(std::int64_t features = 4, DType dtype = DType::f32) {
    const Tensor x = values({2, 3, features}, dtype);
    ops::set_mask(x, booleans(some, Shape{2, 3}));
    return x;
}

TEST(Mask, LiesWithTheTensor) {
    const Tensor x = values({2, 3, 4}), same = x;
    EXPECT_FALSE(ops::mask_of(x).defined());
    ops::set_mask(x, booleans(some, Shape{2, 3}));
    EXPECT_EQ(mask_numbers(same), some);
    EXPECT_FALSE(x.requires_grad());
    EXPECT_FALSE(ops::mask_of(x * 2.0).defined());  // operations know nothing of masks
    ops::set_mask(x, Tensor());
    EXPECT_FALSE(ops::mask_of(same).defined());

    EXPECT_EQ(error_of([&] {
                  ops::set_mask(x, Tensor::ones(Shape{2, 3}));
              }),
              "set_mask: expected a boolean mask of the first dimensions of [2, 3, 4] cpu, got f32 [2, 3] cpu");
    EXPECT_EQ(error_of([&] {
                  ops::set_mask(x, booleans({1, 1, 1}, Shape{3}));
              }),
              "set_mask: expected a boolean mask of the first dimensions of [2, 3, 4] cpu, got boolean [3] cpu");
}

TEST(Mask, MaskingLeavesOutStepsWhoseFeaturesAreAllTheValue) {
    const Tensor x = Tensor::from<float>({2, 2, 2, 3, 1, 2, 2, 2, 2, 2, 0, 0}, Shape{2, 3, 2});
    const Tensor y = Masking(2)(x);
    EXPECT_EQ(mask_numbers(y), (std::vector<std::int64_t>{0, 1, 1, 0, 0, 1}));
    EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{0, 0, 2, 3, 1, 2, 0, 0, 0, 0, 0, 0}));
    // 0 is the default, and features may have several dimensions.
    EXPECT_EQ(mask_numbers(Masking()(x.reshape(Shape{1, 3, 2, 2}))), (std::vector<std::int64_t>{1, 1, 1}));
    EXPECT_EQ(mask_numbers(Masking()(Tensor::from<float>({0, 0, 0, 0, 0, 3, 0, 0}, Shape{1, 2, 2, 2}))),
              (std::vector<std::int64_t>{0, 1}));
    EXPECT_EQ(ops::mask_of(Masking()(Tensor::ones(Shape{0, 2, 3}))).shape(), (Shape{0, 2}));
    EXPECT_EQ(error_of([&] {
                  Masking()(Tensor::ones(Shape{2, 3}));
              }),
              "Masking: expected sequences [time, features], got [3]");
}

TEST(Mask, EmbeddingsMaskTokenZero) {
    const Tensor tokens = Tensor::from<std::int64_t>({3, 0, 1, 0, 0, 2}, Shape{2, 3});
    const std::vector<std::int64_t> there{1, 0, 1, 0, 0, 1};
    EXPECT_EQ(mask_numbers(Embedding(4, 2, {.mask_zero = true})(tokens)), there);
    EXPECT_EQ(mask_numbers(TokenAndPositionEmbedding(4, 3, 2, {.mask_zero = true})(tokens.to(DType::i32))), there);
    EXPECT_EQ(mask_numbers(Embedding(4, 2)(tokens)), std::vector<std::int64_t>());
}

TEST(Mask, GoesOnWhereTheStepsDo) {
    const std::vector<std::int64_t> none;
    const auto behind = [](const Layer& layer, bool training = false) {
        return mask_numbers(layer(masked(), training));
    };
    for (const Layer& layer : std::initializer_list<Layer>{
             Dense(2), Activation("softmax"), ReLU(), LeakyReLU(), ELU(), heddle::Dropout(0.5f), GaussianNoise(0.1f),
             Rescaling(2), LayerNormalization(), BatchNormalization(), TimeDistributed(Dense(2)),
             LSTM(3, {.return_sequences = true}), Bidirectional(GRU(3, {.return_sequences = true})),
             MultiHeadAttention(2, 2), Sequential{Dense(3), ReLU(), Dense(2)}}) {
        EXPECT_EQ(behind(layer), some) << layer->class_name();
        EXPECT_EQ(behind(layer, true), some) << layer->class_name();
    }
    for (const Layer& layer :
         std::initializer_list<Layer>{Flatten(), Reshape({3, 2, 2}), Permute({2, 1}), Conv1D(2, 1), MaxPooling1D(1),
                                      GlobalAveragePooling1D(), GlobalMaxPooling1D(), LSTM(3),
                                      Bidirectional(SimpleRNN(2)), Lambda([](const Tensor& x) { return x * 2.0; })})
        EXPECT_EQ(behind(layer), none) << layer->class_name();
    // States are no sequences.
    const std::vector<Tensor> outputs =
        LSTM(3, {.return_sequences = true, .return_state = true})(std::vector<Tensor>{masked()});
    EXPECT_EQ(mask_numbers(outputs[0]), some);
    EXPECT_EQ(mask_numbers(outputs[1]), none);
}

TEST(Mask, OfSeveralInputs) {
    const Tensor a = masked(), b = values({2, 3, 4}), plain = values({2, 3, 4});
    ops::set_mask(b, booleans({0, 0, 1, 1, 0, 0}, Shape{2, 3}));
    const auto of = [](const Layer& layer, const std::vector<Tensor>& inputs) {
        return mask_numbers(layer(inputs)[0]);
    };
    // As in Keras: element by element a step counts where it does in one of the inputs, if all have masks.
    EXPECT_EQ(of(Add(), {a, b}), some);
    EXPECT_EQ(of(Average(), {b, b}), (std::vector<std::int64_t>{0, 0, 1, 1, 0, 0}));
    EXPECT_EQ(of(Multiply(), {a, plain}), std::vector<std::int64_t>());
    EXPECT_EQ(of(Concatenate(), {a, b}), (std::vector<std::int64_t>{0, 0, 1, 1, 0, 0}));
    EXPECT_EQ(of(Concatenate(), {plain, b}), (std::vector<std::int64_t>{0, 0, 1, 1, 0, 0}));
    EXPECT_EQ(of(Concatenate(), {plain, plain}), std::vector<std::int64_t>());
    EXPECT_EQ(of(Concatenate(1), {a, plain}), (std::vector<std::int64_t>{1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1}));
    EXPECT_EQ(of(Attention(), {a, plain}), some);  // the queries'
    EXPECT_EQ(of(MultiHeadAttention(1, 2), {plain, a}), std::vector<std::int64_t>());
}

TEST(Mask, ModelsAndOwnLayersHandItOn) {
    const Dense dense(2);
    const Symbol in = Input({3, 4});
    const Model graph(in, dense(Add()({in, ReLU()(in)})));
    EXPECT_EQ(mask_numbers(graph(masked())), some);

    struct Own : LayerImpl {
        bool keeps;
        explicit Own(bool k) : keeps(k) {}
        const char* class_name() const override { return "Own"; }
        bool supports_masking() const override { return keeps; }
        Tensor forward(const Tensor& x, bool) override { return x + 1.0; }
    };
    EXPECT_EQ(mask_numbers(Layer(std::make_shared<Own>(true))(masked())), some);
    EXPECT_EQ(mask_numbers(Layer(std::make_shared<Own>(false))(masked())), std::vector<std::int64_t>());

    struct Halved : LayerImpl {
        const char* class_name() const override { return "Halved"; }
        bool supports_masking() const override { return true; }
        Tensor forward(const Tensor& x, bool) override { return x.slice(0, 1); }
    };
    EXPECT_NE(error_of([&] { Layer(std::make_shared<Halved>())(masked()); }).find("Halved: expected a boolean mask"),
              std::string::npos);
}

TEST(Mask, PoolingCountsWhatCounts) {
    const Tensor x = Tensor::from<float>({1, -9, 5, -3, -7, 2, 4, 4, 4}, Shape{3, 3, 1});
    ops::set_mask(x, booleans({1, 0, 1, 1, 1, 0, 0, 0, 0}, Shape{3, 3}));
    EXPECT_EQ(GlobalAveragePooling1D()(x).to_vector<float>(), (std::vector<float>{3, -5, 0}));
    EXPECT_EQ(GlobalMaxPooling1D()(x).to_vector<float>(), (std::vector<float>{5, -3, 0}));
}

class MaskOnDevices : public ::testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MaskOnDevices);
INSTANTIATE_TEST_SUITE_P(Devices, MaskOnDevices, ::testing::ValuesIn(other_devices()),
                         device_name<::testing::TestParamInfo<Device>>);

// The sum of these numbers is none of f16's, their mean is.
TEST_P(MaskOnDevices, PoolingAddsUpBeyondTheRangeOfF16) {
    const Tensor x = Tensor::full(Shape{1, 300, 1}, 300, {DType::f16, GetParam()});
    ops::set_mask(x, Tensor::ones(Shape{1, 300}, {DType::boolean, GetParam()}));
    const Tensor y = GlobalAveragePooling1D()(x);
    EXPECT_EQ(y.dtype(), DType::f16);
    EXPECT_EQ(y.to_vector<float>(), std::vector<float>{300});
}

TEST(Mask, AttentionLooksAtWhatCounts) {
    const Tensor query = values({1, 2, 3}), value = values({1, 3, 3}, DType::f32, 2);
    const Tensor two =
        ops::concat(std::vector<Tensor>{ops::slice(value, {{}, {0, 1}}), ops::slice(value, {{}, {2, 3}})}, 1);
    const Attention attention;
    const std::vector<double> expected = numbers(attention(std::vector<Tensor>{query, two})[0]);
    ops::set_mask(value, booleans({1, 0, 1}, Shape{1, 3}));
    const std::vector<double> got = numbers(attention(std::vector<Tensor>{query, value})[0]);
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6);
    ops::set_mask(query, booleans({0, 1}, Shape{1, 2}));
    const std::vector<double> second = numbers(attention(std::vector<Tensor>{query, value})[0]);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(second[i], 0);
    for (std::size_t i = 3; i < 6; ++i) EXPECT_NEAR(second[i], expected[i], 1e-6);

    // The masks of value and key together are what an explicit mask says.
    const MultiHeadAttention travels(2, 2), given(2, 2, {.masked = true});
    const Tensor key = values({1, 3, 3}, DType::f32, 3), all = values({1, 3, 3}, DType::f32, 2);
    ops::set_mask(key, booleans({1, 1, 0}, Shape{1, 3}));
    travels.build({{2, 3}, {3, 3}, {3, 3}});
    given.build({{2, 3}, {3, 3}, {3, 3}, {3}});
    for (std::size_t i = 0; i < travels.parameters().size(); ++i)
        given.parameters()[i].second.copy_(travels.parameters()[i].second);
    EXPECT_EQ(numbers(travels(std::vector<Tensor>{query, value, key})[0]),
              numbers(given(std::vector<Tensor>{query, all, key, booleans({1, 0, 0}, Shape{1, 3})})[0]));
}

TEST(Mask, ARowThatIsAllMaskedGivesZeros) {
    const Tensor x = values({2, 3, 4});
    x.slice(1, 2).fill_(0);
    for (const Layer& layer : std::initializer_list<Layer>{LSTM(3), GRU(3), SimpleRNN(3), Bidirectional(LSTM(3))}) {
        const std::vector<float> y = Sequential{Masking(), layer}(x).to_vector<float>();
        for (std::size_t i = 0; i < y.size() / 2; ++i) EXPECT_NE(y[i], 0);
        for (std::size_t i = y.size() / 2; i < y.size(); ++i) EXPECT_EQ(y[i], 0);
    }
}

TEST(Mask, AnExplicitMaskComesFirst) {
    const LSTM layer(3, {.masked = true});
    const Tensor x = masked(), counts = booleans({1, 1, 0, 1, 0, 0}, Shape{2, 3});
    const std::vector<double> y = numbers(layer(std::vector<Tensor>{x, counts})[0]);
    ops::set_mask(x, Tensor());
    EXPECT_EQ(numbers(layer(std::vector<Tensor>{x, counts})[0]), y);
}

/// A model through Masking in f64 against central differences: inputs and weights.
TEST(Mask, GradientsAgreeWithFiniteDifferences) {
    for (const std::vector<std::int64_t>& counts :
         {std::vector<std::int64_t>{1, 1, 0, 1, 0, 0}, std::vector<std::int64_t>{0, 1, 1, 1, 0, 1}}) {
        const Sequential model{Bidirectional(LSTM(2, {.return_sequences = true})),
                               Dense(3, {.activation = Activation::tanh})};
        model.build(Shape{3, 2});
        fill_parameters(model);
        make_f64(model);
        Tensor x = values({2, 3, 2}, DType::f64);
        x.set_requires_grad();
        const Tensor target = values({2, 3, 3}, DType::f64, 5);
        const auto loss = [&] {
            const Tensor read = x * 1.0;
            ops::set_mask(read, booleans(counts, Shape{2, 3}));
            return MeanSquaredError()(model(read, true), target);
        };
        loss().backward();
        NamedTensors checked = model.parameters();
        checked.emplace_back("input", x);
        for (const auto& [name, tensor] : checked) {
            const std::vector<double> exact = numbers(tensor.grad());
            const NoGrad no_grad;
            for (std::int64_t i = 0; i < tensor.elements(); ++i) {
                double& element = tensor.data<double>()[i];
                const double before = element;
                element = before + 1e-6;
                const double above = loss().item();
                element = before - 1e-6;
                const double below = loss().item();
                element = before;
                EXPECT_NEAR(exact[static_cast<std::size_t>(i)], (above - below) / 2e-6, 1e-8) << name << " " << i;
            }
        }
        // Steps that do not count get no gradient.
        const std::vector<double> dx = numbers(x.grad());
        for (std::size_t i = 0; i < dx.size(); ++i) EXPECT_EQ(dx[i] != 0, counts[i / 2] != 0) << i;
    }
}

TEST(Mask, LayersComeBackFromTheirConfigs) {
    const Tensor tokens = Tensor::from<std::int64_t>({3, 0, 1, 0, 0, 2}, Shape{2, 3});
    for (const bool mask_zero : {true, false}) {
        const Embedding embedding(4, 2, {.mask_zero = mask_zero});
        const TokenAndPositionEmbedding placed(4, 3, 2, {.mask_zero = mask_zero});
        for (const Layer& layer : std::initializer_list<Layer>{embedding, placed}) {
            const Layer back = Layer::from_config(Config::parse(layer.config().to_json()));
            EXPECT_EQ(ops::mask_of(back(tokens)).defined(), mask_zero);
        }
    }
    const Layer back = Layer::from_config(Config::parse(Masking(-1.5, "skip").config().to_json()));
    EXPECT_EQ(back->name(), "skip");
    EXPECT_EQ(mask_numbers(back(Tensor::from<float>({-1.5f, 1, -1.5f}, Shape{1, 3, 1}))),
              (std::vector<std::int64_t>{0, 1, 0}));
}

}  // namespace
}  // namespace heddle
