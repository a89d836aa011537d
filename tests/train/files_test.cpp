#include <gtest/gtest.h>

#include <filesystem>

#include "samples.h"

namespace heddle {
namespace {

using namespace samples;

class Files : public testing::Test {
  protected:
    ~Files() override { std::filesystem::remove_all(place); }
    const std::string place = folder("files");
    const std::string path = place + "/model.safetensors";
};

Tensor noise(const Shape& shape, std::uint64_t seed = 1) {
    Generator generator(seed);
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& value : values) value = static_cast<float>(generator.below(2001)) / 1000 - 1;
    return Tensor::from(values, shape);
}

void expect_same_predictions(const Model& a, const Model& b, const Tensor& x) {
    EXPECT_EQ(a.predict(x).to_vector<float>(), b.predict(x).to_vector<float>());
}

TEST_F(Files, ASequentialComesBack) {
    set_seed(1);
    Sequential model{Conv2D(4, 3, {.activation = Activation::relu}), BatchNormalization(), MaxPooling2D(2), Flatten(),
                     Dense(5)};
    const Tensor x = noise(Shape{3, 10, 8, 3});
    model(x, true);
    model.set_class_names({"a", "b", "c", "d", "e"});
    Preprocessing preprocessing;
    preprocessing.input_shape = Shape{10, 8, 3};
    preprocessing.mean = {0.1f, 0.2f, 0.3f};
    model.set_preprocessing(preprocessing);
    model.save(path);
    const Model loaded = Model::load(path);
    expect_same_predictions(model, loaded, x);
    EXPECT_EQ(loaded.class_names(), model.class_names());
    EXPECT_EQ(loaded.preprocessing(), model.preprocessing());
    EXPECT_EQ(loaded.input_shapes(), model.input_shapes());
    EXPECT_EQ(loaded.summary(), model.summary());
}

TEST_F(Files, AFunctionalModelComesBack) {
    set_seed(2);
    const Symbol in = Input(Shape{6, 6, 2});
    const Symbol a = Conv2D(4, 3, {.padding = Padding::same})(in), b = Conv2D(4, 1)(in);
    const Symbol flat = Flatten()(Add()({a, b}));
    const Model model(in, Add()({Dense(3)(flat), Dense(3, {.use_bias = false})(flat)}));
    model.save(path);
    expect_same_predictions(model, Model::load(path), noise(Shape{2, 6, 6, 2}));
}

/// [out, height, width, in] at (o, y, x, i) against [out, in, height, width] at (o, i, y, x).
TEST_F(Files, ConvolutionsLieAsInPyTorch) {
    Sequential model{Conv2D(2, {2, 3})};
    model.build(Shape{5, 5, 4});
    model.save_weights(path);
    const SafetensorsFile file = load_safetensors(path);
    const Tensor weight = model.parameters()[0].second;
    ASSERT_EQ(weight.shape(), (Shape{2, 2, 3, 4}));
    const Tensor& stored = file.at(model.parameters()[0].first);
    ASSERT_EQ(stored.shape(), (Shape{2, 4, 2, 3}));
    for (std::int64_t o = 0; o < 2; ++o)
        for (std::int64_t i = 0; i < 4; ++i)
            for (std::int64_t y = 0; y < 2; ++y)
                for (std::int64_t x = 0; x < 3; ++x)
                    EXPECT_EQ(stored.data<float>()[((o * 4 + i) * 2 + y) * 3 + x],
                              weight.data<float>()[((o * 2 + y) * 3 + x) * 4 + i]);
}

/// The columns of a Dense behind a Flatten are in NCHW order on disk, through layers that keep the order.
TEST_F(Files, DenseBehindFlattenLiesAsInPyTorch) {
    Sequential model{Flatten(), Dropout(0.5f), Dense(2), Dense(2)};
    model.build(Shape{2, 3, 4});
    model.save_weights(path);
    const SafetensorsFile file = load_safetensors(path);
    const auto [name, weight] = model.parameters()[0];
    ASSERT_EQ(weight.shape(), (Shape{2, 24}));
    const Tensor& stored = file.at(name);
    for (std::int64_t o = 0; o < 2; ++o)
        for (std::int64_t y = 0; y < 2; ++y)
            for (std::int64_t x = 0; x < 3; ++x)
                for (std::int64_t c = 0; c < 4; ++c)
                    EXPECT_EQ(stored.data<float>()[o * 24 + (c * 2 + y) * 3 + x],
                              weight.data<float>()[o * 24 + (y * 3 + x) * 4 + c]);
    // The second Dense is not behind a Flatten.
    EXPECT_TRUE(same_bits(file.at(model.parameters()[2].first), model.parameters()[2].second));
}

/// The same through branches of a functional model, and inside a layer that a user wrote.
TEST_F(Files, FlattenIsFollowedThroughGraphsAndOwnLayers) {
    const auto swapped = [](const Tensor& weight) {  // [1, 4 pixels, 3 channels] to [1, 3, 4]
        std::vector<float> result;
        for (std::int64_t c = 0; c < 3; ++c)
            for (std::int64_t pixel = 0; pixel < 4; ++pixel) result.push_back(weight.data<float>()[pixel * 3 + c]);
        return result;
    };
    const DenseOptions no_bias{.use_bias = false};
    const Symbol in = Input(Shape{2, 2, 3}), flat = Flatten()(in);
    const Symbol left = Dense(1, no_bias)(flat), right = Dense(1, no_bias)(Add()({flat, Dropout(0.1f)(flat)}));
    const Model graph(in, Add()({left, Dense(1, no_bias)(right)}));
    graph.save_weights(path);
    SafetensorsFile file = load_safetensors(path);
    int flattened = 0;
    for (const auto& [name, weight] : graph.parameters()) {
        const bool behind = weight.elements() == 12;
        flattened += behind;
        EXPECT_EQ(file.at(name).to_vector<float>(), behind ? swapped(weight) : weight.to_vector<float>()) << name;
    }
    EXPECT_EQ(flattened, 2);

    struct Head : LayerImpl {
        Layer flatten = add_child("flatten", Flatten()), dense = add_child("dense", Dense(1, {.use_bias = false}));
        const char* class_name() const override { return "Head"; }
        Shape output_shape(const Shape&) const override { return Shape{1}; }
        Tensor forward(const Tensor& x, bool training) override { return dense(flatten(x, training), training); }
    };
    const Model own(Layer(std::make_shared<Head>()));
    own(Tensor::zeros(Shape{1, 2, 2, 3}));
    own.save_weights(path);
    file = load_safetensors(path);
    EXPECT_EQ(file.at("dense.weight").to_vector<float>(), swapped(own.parameters()[0].second));
}

TEST_F(Files, StrictLoadingListsWhatDoesNotFit) {
    Sequential model{Dense(2), Dense(3)};
    model.build(Shape{4});
    const NamedTensors parameters = model.parameters();
    NamedTensors stored;
    stored.emplace_back(parameters[0].first, Tensor::ones(Shape{2, 4}));
    stored.emplace_back(parameters[1].first, Tensor::ones(Shape{2}));
    stored.emplace_back(parameters[2].first, Tensor::ones(Shape{5, 2}));
    stored.emplace_back("bn1.num_batches_tracked", Tensor::zeros(Shape{}, {DType::i64}));
    stored.emplace_back("extra", Tensor::zeros(Shape{1}));
    save_safetensors(path, stored);
    const std::vector<float> before = parameters[0].second.to_vector<float>();
    EXPECT_EQ(error_of([&] { model.load_weights(path); }),
              path + ": its weights are not of this model; missing: " + parameters[3].first +
                  "; unexpected: extra; of another shape: " + parameters[2].first + " [5, 2] instead of [3, 2]");
    EXPECT_EQ(parameters[0].second.to_vector<float>(), before);
    model.load_weights(path, {.strict = false});
    EXPECT_EQ(parameters[0].second.to_vector<float>(), std::vector<float>(8, 1));
}

TEST_F(Files, HalfPrecisionWeightsAreConverted) {
    Sequential model{Dense(2, {.use_bias = false})};
    model.build(Shape{2});
    save_safetensors(path, {{model.parameters()[0].first, Tensor::full(Shape{2, 2}, 0.5, {DType::bf16})}});
    model.load_weights(path);
    EXPECT_EQ(model.parameters()[0].second.to_vector<float>(), std::vector<float>(4, 0.5f));
    EXPECT_EQ(model.parameters()[0].second.dtype(), DType::f32);
}

TEST_F(Files, ErrorsNameTheFile) {
    save_safetensors(path, {{"weight", Tensor::zeros(Shape{2})}});
    EXPECT_EQ(error_of([&] { Model::load(path); }),
              path + ": it holds weights but no model: make the model and call load_weights()");
    EXPECT_NE(error_of([&] { Model::load(place + "/none"); }).find(place + "/none"), std::string::npos);
    Sequential model{Dense(2)};
    EXPECT_EQ(error_of([&] { model.save(path); }),
              "save: the model is not built: call it, fit it, or build(input shape) first");
}

TEST(Summary, NeedsNoData) {
    const Sequential model({Conv2D(8, 3), BatchNormalization(), Flatten(), Dense(10)}, {.input_shape = Shape{8, 8, 3}});
    const std::string summary = model.summary();
    EXPECT_NE(summary.find("[N, 6, 6, 8]"), std::string::npos) << summary;
    EXPECT_NE(summary.find("[N, 288]"), std::string::npos) << summary;
    EXPECT_NE(summary.find("2,890"), std::string::npos) << summary;
    // 224 + 32 + 2890, of which 16 are running statistics.
    EXPECT_NE(summary.find("Parameters: 3,146 (12.29 KiB), of which trainable: 3,130, not trainable: 16"),
              std::string::npos)
        << summary;
    EXPECT_EQ(error_of([] { Sequential{Dense(2)}.summary(); }),
              "summary: the model is not built: call it, or build(input shape) first");
}

}  // namespace
}  // namespace heddle
