#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "data/files/safetensors.h"
#include "models/resnet.h"
#include "samples.h"

// Training equals PyTorch's: first gradients and losses from make_training_vectors.py, whose initial weights and
// batches both sides compute.
namespace heddle {
namespace {

constexpr int projections = 16;

Philox::Block block(std::string_view stream, std::int64_t index) {
    std::uint32_t offset = 2166136261u;  // FNV-1a
    for (const char c : stream) offset = (offset ^ static_cast<unsigned char>(c)) * 16777619u;
    return Philox::block(0, offset, static_cast<std::uint64_t>(index));
}

/// In -1 .. 1.
double symmetric(std::string_view stream, std::int64_t index) {
    return static_cast<double>(block(stream, index).word[0] >> 8) * 0x1p-23 - 1;
}

/// The initial weights as a file with PyTorch's names and layouts.
void write_initial(const SafetensorsFile& shapes, const std::string& path) {
    NamedTensors tensors;
    for (const auto& [name, like] : shapes.tensors) {
        const Shape& shape = like.shape();
        const bool norm = name.find("bn") != std::string::npos;
        if (name.find("running") != std::string::npos) {
            tensors.emplace_back(name, like);
            continue;
        }
        std::vector<float> values;
        for (std::int64_t i = 0; i < shape.elements(); ++i) {
            double value = symmetric(name, i);
            if (shape.rank() > 1)
                value *= std::sqrt(6.0 / static_cast<double>(shape.elements(1, shape.rank())));
            else if (norm && name.ends_with("weight"))
                value = value * 0.5 + 1;
            else
                value *= 0.1;
            values.push_back(static_cast<float>(value));
        }
        tensors.emplace_back(name, Tensor::from(values, shape));
    }
    save_safetensors(path, tensors);
}

struct Comparison {
    std::string name;
    Model model;
    Shape input;  ///< of one picture
};

/// Pictures and labels of a step. PyTorch counts pixels in NCHW.
std::pair<Tensor, Tensor> batch(std::int64_t step, std::int64_t size, const Shape& picture) {
    const std::int64_t height = picture[0], width = picture[1], channels = picture[2];
    std::vector<float> pixels(static_cast<std::size_t>(size * picture.elements()));
    std::vector<std::int64_t> labels;
    const std::string stream = std::string("x").append(std::to_string(step));
    std::int64_t index = 0;
    for (std::int64_t n = 0; n < size; ++n) {
        for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t h = 0; h < height; ++h)
                for (std::int64_t w = 0; w < width; ++w)
                    pixels[static_cast<std::size_t>(((n * height + h) * width + w) * channels + c)] =
                        static_cast<float>(symmetric(stream, index++));
        labels.push_back(
            static_cast<std::int64_t>(block(std::string("labels").append(std::to_string(step)), n).word[1] % 10));
    }
    return {Tensor::from(pixels, Shape{size, height, width, channels}), Tensor::from(labels, Shape{size})};
}

/// The first step's gradients under PyTorch's names, in its layouts.
SafetensorsFile first_gradients(const Model& model, std::int64_t size, const Shape& input, const std::string& folder) {
    const auto [x, y] = batch(0, size, input);
    SparseCategoricalCrossentropy loss({.from_logits = true});
    loss(model(x, true), y).backward();
    // Written as if they were weights.
    const Model holder(model.clone());
    const NamedTensors from = model.parameters(), to = holder.parameters();
    for (std::size_t i = 0; i < from.size(); ++i) to[i].second.copy_(from[i].second.grad());
    model.zero_grad();
    holder.save_weights(folder + "/gradients.safetensors");
    return load_safetensors(folder + "/gradients.safetensors");
}

/// The norm of the difference to PyTorch's f64 gradient over that gradient's norm: of small ones exactly, else as the
/// projections on random signs estimate it (their mean square is the square of the norm).
double gradient_error(const std::string& name, const Tensor& gradient, const SafetensorsFile& expected) {
    const std::vector<double> g = gradient.to_vector<double>();
    double squares = 0;
    if (expected.has(name + "/gradient")) {
        const std::vector<double> exact = expected.at(name + "/gradient").to_vector<double>();
        for (std::size_t i = 0; i < g.size(); ++i) squares += (g[i] - exact.at(i)) * (g[i] - exact.at(i));
    } else {
        std::array<double, projections> sums{};
        for (std::size_t i = 0; i < g.size(); ++i) {
            const std::uint32_t signs = block(name + "/signs", static_cast<std::int64_t>(i)).word[0];
            for (std::size_t k = 0; k < projections; ++k) sums[k] += (signs >> k & 1) ? -g[i] : g[i];
        }
        const std::vector<double> exact = expected.at(name + "/projections").to_vector<double>();
        for (std::size_t k = 0; k < projections; ++k)
            squares += (sums[k] - exact.at(k)) * (sums[k] - exact.at(k)) / projections;
    }
    return std::sqrt(squares) / expected.at(name + "/norm").item();
}

void compare(const Comparison& c) {
    const SafetensorsFile expected =
        load_safetensors(std::string(HEDDLE_TEST_FOLDER) + "/fixtures/training_" + c.name + ".safetensors");
    const std::int64_t size = std::stoll(expected.metadata.at("batch_size"));
    const std::string folder = samples::folder("pytorch_" + c.name);
    c.model.build(c.input);
    c.model.save_weights(folder + "/shapes.safetensors");
    write_initial(load_safetensors(folder + "/shapes.safetensors"), folder + "/initial.safetensors");
    c.model.load_weights(folder + "/initial.safetensors");

    // The first forward pass moves running statistics; training does not read them.
    const SafetensorsFile gradients = first_gradients(c.model, size, c.input, folder);
    double worst = 0;
    int compared = 0;
    for (const auto& [name, gradient] : gradients.tensors) {
        if (name.find("running") != std::string::npos) continue;
        const double error = gradient_error(name, gradient, expected);
        EXPECT_LT(error, 1e-5) << name << "; PyTorch's f32: " << expected.at(name + "/f32_error").item();
        worst = std::max(worst, error);
        ++compared;
    }
    EXPECT_EQ(compared, static_cast<int>(c.model.parameters().size()));
    ::testing::Test::RecordProperty("worst_gradient_error", std::to_string(worst));

    c.model.compile(
        {.optimizer = SGD({.learning_rate = std::stod(expected.metadata.at("learning_rate")), .momentum = 0.9}),
         .loss = SparseCategoricalCrossentropy({.from_logits = true})});
    const std::vector<double> exact = expected.at("losses_f64").to_vector<double>(),
                              single = expected.at("losses_f32").to_vector<double>();
    double drift = 0, own = 0;
    for (std::size_t step = 0; step < exact.size(); ++step) {
        const auto [x, y] = batch(static_cast<std::int64_t>(step), size, c.input);
        const double loss = c.model.train_on_batch(x, y).at("loss");
        drift = std::max(drift, std::abs(single[step] - exact[step]));
        own = std::max(own, std::abs(loss - exact[step]));
        EXPECT_NEAR(loss, exact[step], 2 * drift + 1e-5) << "step " << step;
    }
    ::testing::Test::RecordProperty("drift", std::to_string(own));
    std::printf("%s: gradients %.1e; losses %.1e from f64, PyTorch's f32 %.1e\n", c.name.c_str(), worst, own, drift);
}

Model image_cnn() {
    return Sequential{Conv2D(32, 3, {.activation = Activation::relu}),
                      MaxPooling2D(2),
                      Conv2D(64, 3, {.activation = Activation::relu}),
                      MaxPooling2D(2),
                      Flatten(),
                      Dense(64, {.activation = Activation::relu}),
                      Dense(10)};
}

TEST(PyTorchTraining, ImageCnnOnGreyPictures) { compare({"cnn_28x28x1", image_cnn(), {28, 28, 1}}); }
TEST(PyTorchTraining, ImageCnnOnColourPictures) { compare({"cnn_32x32x3", image_cnn(), {32, 32, 3}}); }
TEST(PyTorchTraining, ResNet20) { compare({"resnet20", Model(make_cifar_resnet(20)), {32, 32, 3}}); }

}  // namespace
}  // namespace heddle
