#include "models/models.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string_view>

#include "core/error.h"
#include "data/files/safetensors.h"
#include "models/preact_resnet.h"
#include "models/resnet.h"
#include "ops/random.h"

namespace heddle {
namespace {

/// What torchvision's resnet18 calls its tensors, with their shapes on disk; the stem is the CIFAR form's.
std::vector<std::pair<std::string, Shape>> torchvision_resnet18() {
    std::vector<std::pair<std::string, Shape>> names;
    const auto norm = [&](const std::string& path, std::int64_t channels) {
        for (const char* name : {"weight", "bias", "running_mean", "running_var"})
            names.emplace_back(path + "." + name, Shape{channels});
        names.emplace_back(path + ".num_batches_tracked", Shape{});
    };
    names.emplace_back("conv1.weight", Shape{64, 3, 3, 3});
    norm("bn1", 64);
    std::int64_t in = 64;
    for (int stage = 1; stage <= 4; ++stage) {
        const std::int64_t out = 64 << (stage - 1);
        for (int block = 0; block < 2; ++block) {
            const std::string path = "layer" + std::to_string(stage) + "." + std::to_string(block);
            names.emplace_back(path + ".conv1.weight", Shape{out, in, 3, 3});
            norm(path + ".bn1", out);
            names.emplace_back(path + ".conv2.weight", Shape{out, out, 3, 3});
            norm(path + ".bn2", out);
            if (in != out) {
                names.emplace_back(path + ".downsample.0.weight", Shape{out, in, 1, 1});
                norm(path + ".downsample.1", out);
            }
            in = out;
        }
    }
    names.emplace_back("fc.weight", Shape{10, 512});
    names.emplace_back("fc.bias", Shape{10});
    return names;
}

TEST(Models, ParameterCountsOfThePapers) {
    EXPECT_EQ(make_model("linear", {28, 28, 1}, 10).parameter_count(), 7850);
    EXPECT_EQ(make_model("mlp", {28, 28, 1}, 10).parameter_count(), 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10);
    EXPECT_EQ(make_model("cnn", {28, 28, 1}, 10).parameter_count(), 121930);
    EXPECT_EQ(make_model("resnet20", {32, 32, 3}, 10).parameter_count(), 269722);
    EXPECT_EQ(make_model("resnet56", {32, 32, 3}, 10).parameter_count(), 853018);
    EXPECT_EQ(make_model("resnet110", {32, 32, 3}, 10).parameter_count(), 1727962);
    EXPECT_EQ(make_model("resnet18", {32, 32, 3}, 10).parameter_count(), 11173962);
    // torchvision's tables, for 1000 classes.
    EXPECT_EQ(make_model("resnet18-imagenet", {224, 224, 3}, 1000).parameter_count(), 11689512);
    EXPECT_EQ(make_model("resnet34-imagenet", {224, 224, 3}, 1000).parameter_count(), 21797672);
    EXPECT_EQ(make_model("resnet50-imagenet", {224, 224, 3}, 1000).parameter_count(), 25557032);
    EXPECT_EQ(make_model("vgg16-imagenet", {224, 224, 3}, 1000).parameter_count(), 138357544);
}

TEST(Models, EveryListedModelRunsForwardAndBackward) {
    // Two of each kind; the long tests take all, which is 600 million parameters.
    const std::set<std::string_view> quick = {
        "linear",     "mlp",   "cnn",      "resnet20",        "resnet18", "resnet50",
        "speednet94", "vgg11", "vgg11-bn", "preact-resnet18", "resnet32", "resnet18-imagenet"};
    for (const ModelEntry& entry : model_list()) {
        if (!std::getenv("HEDDLE_TEST_FULL") && !quick.contains(entry.name)) continue;
        set_seed(3);
        const std::int64_t extent = entry.name.starts_with("vgg") || entry.name == "speednet94" ? 32 : 16;
        const Model model = make_model(entry.name, {extent, extent, 3}, 7);
        const Tensor x = ops::random_normal({2, extent, extent, 3});
        const Tensor y = model(x, true);
        EXPECT_EQ(y.shape(), (Shape{2, 7})) << entry.name;
        y.sum().backward();
        for (const auto& [name, tensor] : model.parameters())
            EXPECT_TRUE(tensor.grad().defined()) << entry.name << " " << name;
        EXPECT_EQ(model->output_shape(Shape{extent, extent, 3}), Shape{7}) << entry.name;
    }
}

TEST(Models, ConfigurationsMakeTheSameModelAgain) {
    for (const char* name : {"resnet50-imagenet", "preact-resnet18", "vgg11-bn"}) {
        const Model model = make_model(name, {32, 32, 3}, 7);
        const Layer again = Layer::from_config(model.config());
        again.build({Shape{32, 32, 3}});
        EXPECT_EQ(again.config(), model.config()) << name;
        ASSERT_EQ(again.parameters().size(), model.parameters().size()) << name;
        for (std::size_t i = 0; i < again.parameters().size(); ++i) {
            EXPECT_EQ(again.parameters()[i].first, model.parameters()[i].first) << name;
            EXPECT_EQ(again.parameters()[i].second.shape(), model.parameters()[i].second.shape()) << name;
        }
    }
}

TEST(Models, UnknownNamesAndShapesSaySo) {
    EXPECT_THROW(make_model("resnet19", {32, 32, 3}, 10), Error);
    EXPECT_THROW(make_model("cnn", {13}, 10), Error);
    EXPECT_THROW(make_cifar_resnet(21), Error);
    EXPECT_THROW(make_resnet(20), Error);
    EXPECT_THROW(make_wide_resnet(27, 10), Error);
    EXPECT_THROW(make_model("vgg16", {28, 28, 1}, 10), Error);
}

TEST(Models, ResNet18LoadsATorchvisionNamedFile) {
    set_seed(5);
    NamedTensors tensors;
    for (const auto& [name, shape] : torchvision_resnet18())
        tensors.emplace_back(name, name.ends_with("num_batches_tracked") ? Tensor::zeros(shape, {DType::i64})
                                   : name.ends_with("running_var")       ? ops::random_uniform(shape, 0.5, 2)
                                                                         : ops::random_normal(shape, 0, 0.05));
    const std::string path = testing::TempDir() + "torchvision_resnet18.safetensors";
    save_safetensors(path, tensors);
    const Model model = make_model("resnet18", {32, 32, 3}, 10);
    model.load_weights(path);

    // The stem's weights arrive as OHWI: element (o, h, w, i) is the file's (o, i, h, w).
    const std::vector<float> file = tensors[0].second.to_vector<float>();
    const std::vector<float> memory = model.parameters()[0].second.to_vector<float>();
    for (std::size_t o = 0; o < 64; ++o)
        for (std::size_t h = 0; h < 3; ++h)
            for (std::size_t w = 0; w < 3; ++w)
                for (std::size_t i = 0; i < 3; ++i)
                    ASSERT_EQ(memory[((o * 3 + h) * 3 + w) * 3 + i], file[((o * 3 + i) * 3 + h) * 3 + w]);

    // Saved again, the file holds the same names and elements.
    const std::string again = testing::TempDir() + "resnet18_again.safetensors";
    model.save_weights(again);
    const SafetensorsFile saved = load_safetensors(again);
    std::size_t compared = 0;
    for (const auto& [name, tensor] : tensors) {
        if (name.ends_with("num_batches_tracked")) continue;
        ASSERT_TRUE(saved.has(name)) << name;
        EXPECT_EQ(saved.at(name).shape(), tensor.shape()) << name;
        EXPECT_EQ(saved.at(name).to_vector<float>(), tensor.to_vector<float>()) << name;
        ++compared;
    }
    EXPECT_EQ(compared, saved.tensors.size());
}

TEST(Models, SavedResNetLoadsWithoutRegistration) {
    set_seed(6);
    const Model model = make_model("resnet20", {16, 16, 3}, 4);
    const std::string path = testing::TempDir() + "resnet20.safetensors";
    model.save(path);
    const Model loaded = Model::load(path);
    const Tensor x = ops::random_normal({2, 16, 16, 3});
    EXPECT_EQ(loaded.predict(x).to_vector<float>(), model.predict(x).to_vector<float>());
}

TEST(Models, OptionAShortcutKeepsEveryOtherPixelAndCentresTheChannels) {
    // With the second batch norm's scale at zero a block is relu(shortcut).
    const ResNet net({.blocks = {1, 1}, .widths = {4, 8}, .classes = 3});
    net.build({Shape{4, 4, 3}});
    const Layer block = net->children()[3].second->children()[0].second;
    for (const auto& [name, tensor] : block.parameters())
        if (name == "bn2.weight") tensor.fill_(0);
    const Tensor x = ops::random_uniform({1, 4, 4, 4}, 0.5, 1);
    const std::vector<float> in = x.to_vector<float>(), out = block(x).to_vector<float>();
    ASSERT_EQ(out.size(), std::size_t{2 * 2 * 8});
    for (std::size_t row = 0; row < 2; ++row)
        for (std::size_t column = 0; column < 2; ++column)
            for (std::size_t channel = 0; channel < 8; ++channel) {
                const float want = channel < 2 || channel >= 6 ? 0 : in[(2 * row * 4 + 2 * column) * 4 + channel - 2];
                EXPECT_EQ(out[(row * 2 + column) * 8 + channel], want);
            }
}

}  // namespace
}  // namespace heddle
