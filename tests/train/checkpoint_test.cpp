#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "samples.h"

namespace heddle {
namespace {

using namespace samples;

/// Everything that a resumed run must get right: momentum, a schedule, dropout, batch norm, augmentation, shuffling.
Model network(const Optimizer& optimizer) {
    set_seed(17);
    Sequential model{Conv2D(4, 3), BatchNormalization(), Flatten(), Dropout(0.3f), Dense(3)};
    model.compile({.optimizer = optimizer,
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .metrics = {"accuracy"}});
    return model;
}

Optimizer sgd() {
    return SGD({.learning_rate = CosineDecay({.initial_learning_rate = 0.05, .decay_steps = 12, .warmup_steps = 2}),
                .momentum = 0.9});
}

FitOptions options(std::int64_t steps, const std::string& folder = "", bool resume = false) {
    FitOptions o;
    o.epochs = 3;
    o.batch_size = 8;
    o.steps = steps;
    o.validation_data = pictures(12);
    o.verbose = 0;
    o.checkpoint_dir = folder;
    o.resume = resume;
    return o;
}

/// Four steps an epoch, the last one small.
Dataset data() { return pictures(28).with_augmentation({.pad = 1}); }

void expect_same_history(const History& a, const History& b) {
    ASSERT_EQ(a.epochs(), b.epochs());
    for (const char* name : {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"})
        EXPECT_EQ(a.at(name), b.at(name)) << name;
}

class Resume : public testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(Resume, GivesTheBitsOfAnUnbrokenRun) {
    const auto [name, broken_after] = GetParam();
    const auto optimizer = [&, name = name] { return std::string(name) == "sgd" ? sgd() : Optimizer(name); };
    const std::string place = folder(std::string("resume_") + name + std::to_string(broken_after));

    const Model whole = network(optimizer());
    const History expected = whole.fit(data(), options(10));

    network(optimizer()).fit(data(), options(broken_after, place));
    set_seed(99);  // a new process stands somewhere else
    const Model resumed = network(optimizer());
    default_generator().set(123, 456);
    const History history = resumed.fit(data(), options(10, place, true));

    EXPECT_EQ(differing(all_tensors(whole), all_tensors(resumed)), "");
    expect_same_history(expected, history);
    std::filesystem::remove_all(place);
}

// 3: inside the first epoch; 4: between two; 6: inside the second.
INSTANTIATE_TEST_SUITE_P(Checkpoint, Resume,
                         testing::Combine(testing::Values("sgd", "adam", "nadam", "adamax", "rmsprop", "adagrad",
                                                          "adadelta"),
                                          testing::Values(3, 4, 6)));

TEST(Checkpoint, AnInterruptedRunGoesOn) {
    const std::string place = folder("interrupted");
    const Model whole = network("adam");
    const LambdaCallback nothing{LambdaCallbackOptions{}};
    FitOptions o = options(0);
    o.callbacks = {nothing};
    const History expected = whole.fit(data(), o);

    o = options(0, place);
    o.callbacks = {LambdaCallback({.on_batch_end = [](Training& training) {
        if (training.epoch == 1 && training.step == 2) request_stop();
    }})};
    EXPECT_TRUE(network("adam").fit(data(), o).interrupted);
    clear_stop_request();

    o = options(0, place, true);
    o.callbacks = {nothing};
    const Model resumed = network("adam");
    expect_same_history(expected, resumed.fit(data(), o));
    EXPECT_EQ(differing(all_tensors(whole), all_tensors(resumed)), "");
    std::filesystem::remove_all(place);
}

// The end of a part of an epoch, which callbacks see, is none for the run that goes on.
TEST(Checkpoint, CallbacksGoOnInsideAnEpoch) {
    const std::string place = folder("callbacks");
    const auto train = [&](const Model& model, std::int64_t steps, const std::string& in) {
        FitOptions o = options(steps, in, !in.empty());
        o.epochs = 4;
        // Never better than at first: a smaller rate after each second epoch.
        o.callbacks = {ReduceLROnPlateau({.monitor = "learning_rate", .mode = Monitor::Mode::max, .patience = 2})};
        return model.fit(data(), o);
    };
    const Model whole = network(SGD({.learning_rate = 0.05})), resumed = network(SGD({.learning_rate = 0.05}));
    const History expected = train(whole, 0, "");
    EXPECT_LT(expected.at("learning_rate")[3], expected.at("learning_rate")[2]);
    train(network(SGD({.learning_rate = 0.05})), 6, place);
    expect_same_history(expected, train(resumed, 0, place));
    EXPECT_EQ(differing(all_tensors(whole), all_tensors(resumed)), "");
    std::filesystem::remove_all(place);
}

TEST(Checkpoint, ACallbackMayKeepTheOldOne) {
    const std::string place = folder("kept"), path = checkpoint_path(place);
    std::int64_t asked = 0;
    const LambdaCallback keeper({.on_checkpoint = [&](Training& training) {
        ++asked;
        if (training.epoch == 1 && training.step > 0) throw Error("no checkpoint inside the second epoch");
    }});
    FitOptions o = options(0, place);
    o.checkpoint_steps = 3;
    o.callbacks = {keeper};
    EXPECT_EQ(error_of([&] { network("adam").fit(data(), o); }), "no checkpoint inside the second epoch");
    EXPECT_EQ(asked, 3);  // after 3 steps, after the epoch's 4, after 6
    EXPECT_EQ(Checkpoint::load(path).total_steps, 4);
    o.checkpoint_dir.clear();
    o.checkpoint_steps = 0;
    network("adam").fit(data(), o);
    EXPECT_EQ(asked, 3);
    std::filesystem::remove_all(place);
}

TEST(Checkpoint, AFinishedRunIsNotTrainedFurther) {
    const std::string place = folder("finished");
    const Model first = network("adam"), second = network("adam");
    const History expected = first.fit(data(), options(0, place));
    expect_same_history(expected, second.fit(data(), options(0, place, true)));
    EXPECT_EQ(differing(all_tensors(first), all_tensors(second)), "");
    std::filesystem::remove_all(place);
}

TEST(Checkpoint, ClassWeightsMustBeTheSame) {
    const std::string place = folder("class_weight");
    const auto with = [&](const ClassWeight& weights, std::int64_t steps, bool resume) {
        FitOptions o = options(steps, place, resume);
        o.class_weight = weights;
        return o;
    };
    const ClassWeight weights{{0, 0.1}, {1, 5}, {2, 1.0 / 3}};
    network("adam").fit(data(), with(weights, 6, false));
    EXPECT_EQ(Checkpoint::load(checkpoint_path(place)).class_weight, weights);

    const std::string other = error_of([&] {
        network("adam").fit(data(), with({{0, 0.1}, {1, 5}, {2, 1}}, 10, true));
    });
    EXPECT_NE(other.find("it was made with class_weight {0: 0.1, 1: 5, 2: 0.333"), std::string::npos) << other;
    EXPECT_NE(other.find("now it is {0: 0.1, 1: 5, 2: 1}"), std::string::npos) << other;
    const std::string none = error_of([&] { network("adam").fit(data(), with({}, 10, true)); });
    EXPECT_NE(none.find("now it is {}"), std::string::npos) << none;

    const Model whole = network("adam"), resumed = network("adam");
    FitOptions unbroken = options(10);
    unbroken.class_weight = weights;
    const History expected = whole.fit(data(), unbroken);
    expect_same_history(expected, resumed.fit(data(), with(weights, 10, true)));
    EXPECT_EQ(differing(all_tensors(whole), all_tensors(resumed)), "");
    std::filesystem::remove_all(place);
}

TEST(Checkpoint, RefusesWhatDoesNotBelong) {
    const std::string place = folder("refused"), path = checkpoint_path(place);
    network("adam").fit(data(), options(3, place));

    const auto resume_error = [&](const Model& model, FitOptions o = {}) {
        if (o.checkpoint_dir.empty()) o = options(0, place, true);
        return error_of([&] { model.fit(data(), o); });
    };
    EXPECT_NE(resume_error(network(sgd())).find("made with Adam, the model is compiled with SGD"), std::string::npos);

    Sequential other{Flatten(), Dense(3)};
    other.compile(
        {.optimizer = "adam", .loss = SparseCategoricalCrossentropy({.from_logits = true}), .metrics = {"accuracy"}});
    EXPECT_NE(resume_error(other).find("the checkpoint is of another model: "), std::string::npos);

    FitOptions batch = options(0, place, true);
    batch.batch_size = 4;
    EXPECT_NE(resume_error(network("adam"), batch).find("batch_size 8, now it is 4"), std::string::npos);

    FitOptions weighted = options(0, place, true);
    weighted.class_weight = {{0, 1}, {1, 2.5}, {2, 1}};
    EXPECT_NE(resume_error(network("adam"), weighted).find("class_weight {}, now it is {0: 1, 1: 2.5, 2: 1}"),
              std::string::npos);

    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    const std::string truncated = resume_error(network("adam"));
    EXPECT_NE(truncated.find(path), std::string::npos) << truncated;
    EXPECT_EQ(truncated.find('\n'), std::string::npos) << truncated;

    std::ofstream(path) << "no checkpoint";
    EXPECT_NE(resume_error(network("adam")).find(path), std::string::npos);

    save_safetensors(path, {{"x", Tensor::zeros(Shape{2})}});
    EXPECT_NE(resume_error(network("adam")).find("this is no training checkpoint"), std::string::npos);
    std::filesystem::remove_all(place);
}

TEST(Checkpoint, KeepsNumbersThatAreNotFinite) {
    const std::string place = folder("numbers");
    Checkpoint c;
    c.optimizer_class = "SGD";
    c.seed = ~std::uint64_t{0};
    c.loss = {std::nan(""), 3};
    c.history.add(0, {{"loss", HUGE_VAL}});
    c.save(checkpoint_path(place));
    const Checkpoint read = Checkpoint::load(checkpoint_path(place));
    EXPECT_EQ(read.seed, c.seed);
    EXPECT_TRUE(std::isnan(read.loss[0]));
    EXPECT_EQ(read.history.at("loss")[0], HUGE_VAL);
    std::filesystem::remove_all(place);
}

}  // namespace
}  // namespace heddle
