#include <gtest/gtest.h>

#include <cmath>

#include "samples.h"
#include "tests/devices.h"

// What training does with the rules of single layers, and with text.
namespace heddle {
namespace {

using namespace samples;

TEST(LayerRules, PenaltiesAreInTheLoss) {
    const auto [x, y] = plane(40);
    const auto model_with = [&](const DenseOptions& dense, double l2) {
        set_seed(4);
        Sequential model{Dense(3, dense), Dense(1, dense)};
        model.build(Shape{2});
        model.compile({.optimizer = SGD({.learning_rate = 0.05f}), .loss = "mse", .l2 = l2});
        return model;
    };
    // On every layer it is what the compiled penalty is, to the bit.
    const Model own = model_with({.kernel_regularizer = L2(0.1)}, 0), compiled = model_with({}, 0.1);
    const History a = own.fit(x, y, {.epochs = 3, .batch_size = 8, .verbose = 0, .seed = 1}),
                  b = compiled.fit(x, y, {.epochs = 3, .batch_size = 8, .verbose = 0, .seed = 1});
    EXPECT_EQ(a.at("loss"), b.at("loss"));
    EXPECT_EQ(differing(own.parameters(), compiled.parameters()), "");
    const double plain = Loss("mse")(own.predict(x), y).item();
    EXPECT_NEAR(own.evaluate(x, y).at("loss"), plain + own.regularization_loss().item(), 1e-6);
    EXPECT_GT(own.regularization_loss().item(), 0.01);
}

TEST(LayerRules, ConstraintsHoldAfterEveryStep) {
    const auto [x, y] = plane(40);
    set_seed(4);
    const Dense free(4), limited(4, {.kernel_constraint = MaxNorm(0.5)}), positive(1, {.kernel_constraint = NonNeg()});
    Sequential model{free, limited, positive};
    model.compile({.optimizer = SGD({.learning_rate = 0.1f}), .loss = "mse"});
    for (int step = 0; step < 3; ++step) {
        model.train_on_batch(x, y);
        const std::vector<double> weight = limited.parameters()[0].second.to_vector<double>();
        for (std::size_t unit = 0; unit < 4; ++unit) {
            double squares = 0;
            for (std::size_t i = 0; i < 4; ++i) squares += weight[4 * unit + i] * weight[4 * unit + i];
            EXPECT_LE(std::sqrt(squares), 0.5 + 1e-6);
        }
        for (const double value : positive.parameters()[0].second.to_vector<double>()) EXPECT_GE(value, 0);
    }
}

/// Sequences of tokens 1 .. 8 with padding; the class is whether token 5 is among them.
std::pair<Tensor, Tensor> texts(std::int64_t count) {
    Generator generator(9);
    std::vector<std::vector<std::int64_t>> sequences;
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < count; ++i) {
        labels.push_back(i % 2);
        std::vector<std::int64_t> sequence;
        for (std::uint64_t length = 3 + generator.below(5); length > 0; --length) {
            const auto token = static_cast<std::int64_t>(1 + generator.below(8));
            sequence.push_back(token == 5 ? 6 : token);
        }
        if (labels.back() == 1) sequence[static_cast<std::size_t>(generator.below(sequence.size()))] = 5;
        sequences.push_back(sequence);
    }
    return {pad_sequences(sequences, {.maxlen = 8}), Tensor::from(labels, Shape{count})};
}

struct TextRun {
    Device device = {};
    bool capture = true;
    Precision precision = Precision::f32;
    std::int64_t epochs = 2;
};

struct Trained {
    Model model;
    History history;
};

Trained train_texts(const TextRun& run) {
    set_seed(6);
    const auto [x, y] = texts(64);
    Sequential model{
        Embedding(9, 4, {.embeddings_constraint = MaxNorm(1), .padding_index = 0}),
        Conv1D(6, 3,
               {.padding = Padding::same, .activation = Activation::relu, .kernel_regularizer = L1L2(1e-4, 1e-4)}),
        MaxPooling1D(2), GlobalMaxPooling1D(), Dense(2, {.kernel_constraint = UnitNorm()})};
    model.build(Shape{8});
    model.to(run.device);
    model.compile({.optimizer = Adam({.learning_rate = 0.02f}),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"},
                   .precision = run.precision});
    const History history =
        model.fit(x, y, {.epochs = run.epochs, .batch_size = 16, .verbose = 0, .seed = 1, .capture = run.capture});
    return {model, history};
}

TEST(TextTraining, LearnsAndKeepsItsPadding) {
    const Trained trained = train_texts({.epochs = 40});
    EXPECT_EQ(trained.history.at("accuracy").back(), 1);
    const std::vector<double> table = trained.model.parameters()[0].second.to_vector<double>();
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(table[i], 0);
    for (std::size_t row = 1; row < 9; ++row) {
        double squares = 0;
        for (std::size_t i = 0; i < 4; ++i) squares += table[4 * row + i] * table[4 * row + i];
        EXPECT_LE(std::sqrt(squares), 1 + 1e-6);
    }
    // It saves and loads like any model.
    const std::string path = folder("text") + "/text.safetensors";
    trained.model.save(path);
    const auto [x, y] = texts(10);
    EXPECT_TRUE(same_bits(Model::load(path).predict(x), trained.model.predict(x)));
}

/// The columns of a Dense behind a Flatten lie as in PyTorch: behind an Embedding features are last there as here,
/// behind a Conv1D they are first.
TEST(TextFiles, DenseBehindFlatten) {
    const auto same_on_disk = [](const Sequential& model, const Shape& input) {
        model.build(input);
        const std::string path = folder("flatten") + "/weights.safetensors";
        model.save_weights(path);
        const Tensor stored = load_safetensors(path).at("dense.weight");
        const Tensor here = model.parameters().back().second;
        EXPECT_EQ(stored.shape(), here.shape());
        if (same_bits(stored, here)) return true;
        // [units, time, features] here, [units, features, time] there.
        const Tensor there = ops::permute(here.detach().reshape(Shape{2, 4, 3}), {0, 2, 1}).reshape(Shape{2, 12});
        EXPECT_TRUE(same_bits(stored, there));
        return false;
    };
    const Dense dense(2, {.use_bias = false, .name = "dense"});
    EXPECT_TRUE(same_on_disk(Sequential{Embedding(5, 3), Flatten(), dense}, Shape{4}));
    const Dense behind_noise(2, {.use_bias = false, .name = "dense"}), conv(2, {.use_bias = false, .name = "dense"});
    EXPECT_TRUE(
        same_on_disk(Sequential{Embedding(5, 3), GaussianNoise(0.1f), ReLU(), Flatten(), behind_noise}, Shape{4}));
    EXPECT_FALSE(same_on_disk(Sequential{Embedding(5, 2), Conv1D(3, 1), ReLU(), Flatten(), conv}, Shape{4}));
}

class TextOnDevices : public testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TextOnDevices);
INSTANTIATE_TEST_SUITE_P(Devices, TextOnDevices, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

TEST_P(TextOnDevices, MatchesTheCpuCapturedOrNot) {
    const Trained cpu = train_texts({}), eager = train_texts({.device = GetParam(), .capture = false}),
                  captured = train_texts({.device = GetParam()});
    EXPECT_EQ(eager.history.replayed_steps, 0);
    EXPECT_EQ(captured.history.replayed_steps, 7);
    for (std::size_t epoch = 0; epoch < 2; ++epoch)
        EXPECT_NEAR(captured.history.at("loss")[epoch], cpu.history.at("loss")[epoch], 1e-4);
    EXPECT_EQ(captured.history.at("loss"), eager.history.at("loss"));
    const auto on_host = [](const Model& model) {
        NamedTensors tensors = model.parameters();
        for (auto& [name, tensor] : tensors) tensor = tensor.detach().to(Device::cpu());
        return tensors;
    };
    EXPECT_EQ(differing(on_host(captured.model), on_host(eager.model)), "");
    // Replayed steps restore the constraint too: a step's gradient alone would leave the rows longer or shorter.
    const Tensor weight = on_host(captured.model)[3].second;
    ASSERT_EQ(weight.shape(), (Shape{2, 6}));
    for (const float norm : ops::sum(ops::square(weight), {1}).to_vector<float>()) EXPECT_NEAR(norm, 1, 1e-5);
}

TEST_P(TextOnDevices, EmbeddingsComputeInTheModelsPrecision) {
    const Trained f32 = train_texts({.device = GetParam()}),
                  bf16 = train_texts({.device = GetParam(), .precision = Precision::bf16});
    const auto [x, y] = texts(8);
    EXPECT_EQ(bf16.model.parameters()[0].second.dtype(), DType::f32);
    EXPECT_NEAR(bf16.history.at("loss").back(), f32.history.at("loss").back(), 0.05);
    EXPECT_NE(bf16.history.at("loss").back(), f32.history.at("loss").back());
}

/// A generator's layers: what a GAN or an autoencoder is made of.
TEST_P(TextOnDevices, TransposedConvolutionsMatchTheCpu) {
    const auto run = [](Device device) {
        set_seed(8);
        Sequential model{
            Dense(3 * 3 * 4, {.activation = Activation::relu}),
            Reshape({3, 3, 4}),
            Conv2DTranspose(5, 4, {.strides = 2, .padding = Padding::same, .activation = Activation::relu}),
            UpSampling2D(2, {.interpolation = Interpolation::bilinear}),
            Conv2DTranspose(2, 3, {.padding = Padding::same}),
            UpSampling2D({1, 2}),
            ZeroPadding2D({0, 1, 1, 0}),
            Cropping2D({1, 0, 0, 1}),
            GaussianNoise(0.01f)};
        model.build(Shape{6});
        model.to(device);
        model.compile({.optimizer = SGD({.learning_rate = 0.1f}), .loss = "mse"});
        const auto [x, ignored] = plane(96);
        const Tensor input = x.reshape(Shape{32, 6});
        const Tensor y = Tensor::full(Shape{32, 12, 24, 2}, 0.25);
        return model.fit(input, y, {.epochs = 2, .batch_size = 8, .verbose = 0, .seed = 1}).at("loss");
    };
    const std::vector<double> cpu = run({}), device = run(GetParam());
    for (std::size_t i = 0; i < cpu.size(); ++i) EXPECT_NEAR(device[i], cpu[i], 1e-4);
}

}  // namespace
}  // namespace heddle
