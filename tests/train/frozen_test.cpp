#include <gtest/gtest.h>

#include <filesystem>

#include "core/profile.h"
#include "samples.h"
#include "tests/devices.h"

// Frozen parts of a model: they keep their bits however the rest is trained, and cost no backward step.
namespace heddle {
namespace {

using namespace samples;

struct Parts {
    Sequential prefix, model;
};

/// A prefix with batch norm, which is frozen, and a head.
Parts transfer() {
    set_seed(12);
    Sequential prefix{Conv2D(4, 3), BatchNormalization(), ReLU(), Conv2D(4, 3), BatchNormalization()};
    Sequential model{prefix, Flatten(), Dense(3)};
    model.build(Shape{8, 8, 3});
    prefix.set_trainable(false);
    return {prefix, model};
}

NamedTensors copies(const Layer& layer) {
    NamedTensors all;
    for (const auto& [name, tensor] : layer.parameters()) all.emplace_back(name, tensor.detach().to(Device()).clone());
    for (const auto& [name, tensor] : layer.buffers()) all.emplace_back(name, tensor.to(Device()).clone());
    return all;
}

CompileOptions settings(const Optimizer& optimizer) {
    return {
        .optimizer = optimizer, .loss = SparseCategoricalCrossentropy({.from_logits = true}), .l1 = 0.01, .l2 = 0.01};
}

TEST(Frozen, APrefixKeepsItsBitsUnderEveryOptimizer) {
    const std::vector<Optimizer> optimizers{
        SGD({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.1}),
        Adam({.weight_decay = 0.1}),
        AdamW({.weight_decay = 0.1}),
        RMSprop({.momentum = 0.9, .weight_decay = 0.1}),
        Nadam({.weight_decay = 0.1}),
        Adamax({.weight_decay = 0.1}),
        Adagrad({.weight_decay = 0.1}),
        Adadelta({.weight_decay = 0.1}),

        OptimizerGroups({{{"*.weight"}, Muon({.weight_decay = 0.1})}, {{"*"}, SGD()}})};
    for (const Optimizer& optimizer : optimizers) {
        const Parts parts = transfer();
        const NamedTensors before = copies(parts.prefix), all = copies(parts.model);
        parts.model.compile(settings(optimizer));
        parts.model.fit(pictures(24), {.epochs = 2,
                                       .batch_size = 8,
                                       .gradient_accumulation_steps = 2,
                                       .verbose = 0,
                                       .callbacks = {WeightAveraging({.decay = 0.9}), Lookahead({.every_steps = 1})}});
        EXPECT_EQ(differing(before, copies(parts.prefix)), "") << optimizer.class_name();
        const std::string changed = differing(all, copies(parts.model));
        EXPECT_EQ(changed, "2.weight 2.bias ") << optimizer.class_name();
    }
}

TEST(Frozen, APrefixHasNoBackwardStep) {
    const auto calls = [](const Model& model) {
        const Tensor x = Tensor::ones(Shape{2, 8, 8, 3}), y = Tensor::zeros(Shape{2}, {DType::i64});
        model.train_on_batch(x, y);
        set_profiling(true);
        model.train_on_batch(x, y);
        std::uint64_t convolutions = 0, norms = 0;
        for (const ProfileEntry& entry : profile()) {
            if (entry.name.find("backward") == std::string::npos && entry.name.find("gradient") == std::string::npos)
                continue;
            if (entry.name.find("conv") != std::string::npos) convolutions += entry.calls;
            if (entry.name.find("norm") != std::string::npos) norms += entry.calls;
        }
        set_profiling(false);
        return std::pair(convolutions, norms);
    };
    const Parts parts = transfer();
    parts.model.compile(settings("sgd"));
    const auto frozen = calls(parts.model);
    EXPECT_EQ(frozen.first, 0u);
    EXPECT_EQ(frozen.second, 0u);
    EXPECT_FALSE(parts.prefix(Tensor::ones(Shape{2, 8, 8, 3}), true).requires_grad());

    parts.prefix.set_trainable(true);
    const auto trained = calls(parts.model);
    EXPECT_GT(trained.first, 0u);
    EXPECT_GT(trained.second, 0u);
    // A frozen layer in the middle lets gradients pass to what is before it: one convolution's weight less.
    parts.prefix->children()[3].second.set_trainable(false);
    EXPECT_EQ(calls(parts.model).first, trained.first - 1);
}

TEST(Frozen, FreezingDropsAGradientThatIsThere) {
    Sequential model{Dense(2)};
    model.build(Shape{3});
    const Tensor weight = model.parameters()[0].second;
    model(Tensor::ones(Shape{1, 3})).sum().backward();
    model.set_trainable(false);
    const std::vector<float> before = weight.to_vector<float>();
    SGD({.learning_rate = 1}).step(model.parameters());
    EXPECT_EQ(weight.to_vector<float>(), before);
}

TEST(Frozen, NothingToTrainIsAnError) {
    const Parts parts = transfer();
    parts.model.set_trainable(false);
    parts.model.compile(settings("sgd"));
    EXPECT_EQ(error_of([&] { parts.model.fit(pictures(8), {.verbose = 0}); }),
              "fit: the model has no parameters to train: all are frozen");
}

TEST(Frozen, ASavedModelStaysFrozen) {
    const std::string place = folder("frozen");
    const Parts parts = transfer();
    parts.model.save(place + "/model.safetensors");
    const Model loaded = Model::load(place + "/model.safetensors");
    EXPECT_EQ(loaded.summary(), parts.model.summary());
    EXPECT_NE(loaded.summary().find("trainable: 195,"), std::string::npos) << loaded.summary();
    const NamedTensors before = copies(loaded);
    loaded.compile(settings("adam"));
    loaded.fit(pictures(16), {.verbose = 0});
    EXPECT_EQ(differing(before, copies(loaded)), "2.weight 2.bias ");
    std::filesystem::remove_all(place);
}

TEST(Frozen, ThawedPartsTrainOnFromACheckpoint) {
    const std::string place = folder("thawed");
    FitOptions o{.epochs = 1, .batch_size = 8, .verbose = 0, .seed = 1, .checkpoint_dir = place};
    const Parts parts = transfer();
    parts.model.compile(settings(Adam()));
    parts.model.fit(pictures(16), o);
    parts.prefix.set_trainable(true);
    const NamedTensors before = copies(parts.prefix);
    o.epochs = 2;
    o.resume = true;
    parts.model.fit(pictures(16), o);
    const std::string changed = differing(before, copies(parts.prefix));
    for (const auto& [name, tensor] : before) EXPECT_NE(changed.find(name), std::string::npos) << name;
    std::filesystem::remove_all(place);
}

class DeviceFreezing : public testing::TestWithParam<Device> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DeviceFreezing);
INSTANTIATE_TEST_SUITE_P(Devices, DeviceFreezing, testing::ValuesIn(other_devices()),
                         device_name<testing::TestParamInfo<Device>>);

/// Frozen after the step was captured: the graph that trained the prefix is not replayed.
TEST_P(DeviceFreezing, HoldsForCapturedSteps) {
    const Parts parts = transfer();
    parts.prefix.set_trainable(true);
    parts.model.to(GetParam());
    parts.model.compile(settings(SGD({.learning_rate = 0.05, .momentum = 0.9})));
    NamedTensors before;
    const LambdaCallback freeze({.on_epoch_begin = [&](Training& training) {
        if (training.epoch != 1) return;
        parts.prefix.set_trainable(false);
        before = copies(parts.prefix);
    }});
    const History history =
        parts.model.fit(pictures(32), {.epochs = 2, .batch_size = 8, .verbose = 0, .callbacks = {freeze}});
    EXPECT_GT(history.replayed_steps, 3);
    EXPECT_EQ(differing(before, copies(parts.prefix)), "");
}

TEST(Frozen, AWhollyFrozenModelIsNotTrainedOnABatch) {
    const Sequential model{Dense(2)};
    model.build(Shape{3});
    model.set_trainable(false);
    model.compile({.optimizer = "sgd", .loss = "mse"});
    EXPECT_EQ(error_of([&] {
                  model.train_on_batch(Tensor::ones(Shape{4, 3}), Tensor::ones(Shape{4, 2}));
              }),
              "train_on_batch: the model has no parameters to train: all are frozen");
}

}  // namespace
}  // namespace heddle
