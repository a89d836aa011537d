#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "core/parallel.h"
#include "data/files/safetensors.h"
#include "models/resnet.h"
#include "samples.h"
#include "tests/philox_weights.h"

// Training equals PyTorch's: first gradients and losses from make_training_vectors.py, whose
// initial weights and batches both sides compute.
namespace heddle {
namespace {

constexpr int projections = 16;

/// The number of threads decides in which order is summed up, and so how is rounded: two, on every machine.
struct TwoThreads {
    TwoThreads() { set_thread_count(2); }
    ~TwoThreads() { set_thread_count(0); }
    TwoThreads(const TwoThreads&) = delete;
    TwoThreads& operator=(const TwoThreads&) = delete;
};

struct Comparison {
    std::string name;
    Model model;
    Shape input;                   ///< of one picture
    std::int64_t first_batch = 0;  ///< the number of the random batch that training begins with
};

/// The first step's gradients under PyTorch's names, in its layouts.
SafetensorsFile first_gradients(const Comparison& c, std::int64_t size, const std::string& folder) {
    const auto [x, y] = testing::philox_batch(c.first_batch, size, c.input);
    SparseCategoricalCrossentropy loss({.from_logits = true});
    loss(c.model(x, true), y).backward();
    // Written as if they were weights.
    const Model holder(c.model.clone());
    const NamedTensors from = c.model.parameters(), to = holder.parameters();
    for (std::size_t i = 0; i < from.size(); ++i) to[i].second.copy_(from[i].second.grad());
    c.model.zero_grad();
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
            const std::uint32_t signs = testing::philox_block(name + "/signs", static_cast<std::int64_t>(i)).word[0];
            for (std::size_t k = 0; k < projections; ++k) sums[k] += (signs >> k & 1) ? -g[i] : g[i];
        }
        const std::vector<double> exact = expected.at(name + "/projections").to_vector<double>();
        for (std::size_t k = 0; k < projections; ++k)
            squares += (sums[k] - exact.at(k)) * (sums[k] - exact.at(k)) / projections;
    }
    return std::sqrt(squares) / expected.at(name + "/norm").item();
}

void compare(const Comparison& c) {
    const TwoThreads threads;
    const SafetensorsFile expected =
        load_safetensors(std::string(HEDDLE_TEST_FOLDER) + "/fixtures/training_" + c.name + ".safetensors");
    const std::int64_t size = std::stoll(expected.metadata.at("batch_size"));
    const std::string folder = samples::folder("pytorch_" + c.name);
    c.model.build(c.input);
    testing::load_philox_weights(c.model, folder, false);

    // The first forward pass moves running statistics; training does not read them.
    const SafetensorsFile gradients = first_gradients(c, size, folder);
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
                              drift = expected.at("drift_f32").to_vector<double>();
    double own = 0;
    for (std::size_t step = 0; step < exact.size(); ++step) {
        const auto [x, y] = testing::philox_batch(c.first_batch + static_cast<std::int64_t>(step), size, c.input);
        const double loss = c.model.train_on_batch(x, y).at("loss");
        own = std::max(own, std::abs(loss - exact[step]));
        EXPECT_NEAR(loss, exact[step], 2 * drift.at(step) + 1e-5) << "step " << step;
    }
    ::testing::Test::RecordProperty("drift", std::to_string(own));
    std::printf("%s: gradients %.1e; losses %.1e from f64, PyTorch's f32 %.1e\n", c.name.c_str(), worst, own,
                drift.back());
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
/// The convolutions that multiply directly, as PyTorch's do. Winograd's, the default of many layers, are right to about
/// 1e-5 each (docs/support.md holds them to that): enough to switch a ReLU in 18 layers.
TEST(PyTorchTraining, ResNet18) {
    const ForceKernel forward("conv2d_forward", "cpu"), data("conv2d_backward_data", "cpu"),
        weights("conv2d_backward_weights", "cpu");
    compare({"resnet18", Model(make_resnet(18)), {32, 32, 3}, 4});
}
TEST(PyTorchTraining, ResNet20) { compare({"resnet20", Model(make_cifar_resnet(20)), {32, 32, 3}}); }

}  // namespace
}  // namespace heddle
