#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "samples.h"

namespace heddle {
namespace {

using namespace samples;

/// Model and data of one number; the callbacks see losses that a test makes up.
class Callbacks : public testing::Test {
  protected:
    Callbacks() {
        model.compile({.optimizer = SGD({.learning_rate = 1}), .loss = "mse"});
        model.build(Shape{1});
    }

    /// Tells the callback of epochs with these values of "val_loss"; returns the number of epochs until it stopped.
    std::int64_t tell(const Callback& callback, const std::vector<double>& losses) {
        callback->on_train_begin(training);
        for (const double loss : losses) {
            callback->on_epoch_begin(training);
            model.parameters()[0].second.fill_(loss);
            const Result logs{{"loss", loss},          {"val_loss", loss},
                              {"val_accuracy", -loss}, {"samples_per_second", 10},
                              {"learning_rate", 0.1},  {"seconds", 2}};
            callback->on_epoch_end(training, logs);
            history.add(training.epoch, logs);
            ++training.epoch;
            if (training.stop) break;
        }
        callback->on_train_end(training);
        return training.epoch;
    }

    double weight() { return model.parameters()[0].second.to_vector<float>()[0]; }

    Sequential model{Dense(1)};
    History history;
    Training training{.model = model, .history = history, .epochs = 100};
};

TEST_F(Callbacks, EarlyStoppingWaits) {
    EXPECT_EQ(tell(EarlyStopping({.patience = 2}), {5, 4, 4.5, 3, 3.5, 3.2, 1}), 6);
}

TEST_F(Callbacks, EarlyStoppingWithoutPatienceEndsAtTheFirstWorseEpoch) {
    EXPECT_EQ(tell(EarlyStopping(), {5, 4, 4.5, 3}), 3);
}

TEST_F(Callbacks, EarlyStoppingIgnoresSmallChanges) {
    EXPECT_EQ(tell(EarlyStopping({.min_delta = 0.5, .patience = 2}), {5, 4.8, 4.6, 1}), 3);
}

TEST_F(Callbacks, EarlyStoppingOfAnAccuracyLooksUpwards) {
    EXPECT_EQ(tell(EarlyStopping({.monitor = "val_accuracy", .patience = 1}), {5, 4, 3, 3.5, 1}), 4);
}

TEST_F(Callbacks, EarlyStoppingRestoresTheBestWeights) {
    tell(EarlyStopping({.patience = 2, .restore_best_weights = true}), {5, 2, 3, 4, 1});
    EXPECT_EQ(weight(), 2);
}

TEST_F(Callbacks, EarlyStoppingGoesOnFromItsState) {
    const EarlyStopping first({.patience = 3, .restore_best_weights = true});
    const EarlyStopping second({.patience = 3, .restore_best_weights = true});
    tell(first, {2, 3, 4});
    second->set_state(first->state());
    EXPECT_EQ(tell(second, {5, 1}), 4);
    EXPECT_EQ(weight(), 2);
}

TEST_F(Callbacks, AValueThatIsNotThereIsAnError) {
    const EarlyStopping callback({.monitor = "val_mae"});
    EXPECT_NE(error_of([&] {
                  tell(callback, {1});
              }).find("EarlyStopping: there is no \"val_mae\" to monitor (fit was given no validation data)"),
              std::string::npos);
}

TEST_F(Callbacks, ReduceLROnPlateau) {
    const auto rate_after = [&](const std::vector<double>& losses) {
        model.optimizer().set_learning_rate(1);
        tell(ReduceLROnPlateau({.factor = 0.5, .patience = 2, .cooldown = 1, .min_lr = 0.3}), losses);
        return model.optimizer().learning_rate();
    };
    EXPECT_EQ(rate_after({1, 2}), 1);
    EXPECT_EQ(rate_after({1, 2, 2}), 0.5);
    EXPECT_EQ(rate_after({1, 2, 2, 2}), 0.5);
    EXPECT_EQ(rate_after({1, 2, 2, 2, 2, 2, 2}), 0.3);
}

TEST_F(Callbacks, ReduceLROnPlateauBeginsAnewOrGoesOnFromItsState) {
    const ReduceLROnPlateauOptions options{.factor = 0.5, .patience = 2};
    const ReduceLROnPlateau callback(options), resumed(options);
    tell(callback, {1, 2});
    resumed->set_state(callback->state());
    tell(callback, {5, 6});
    EXPECT_EQ(model.optimizer().learning_rate(), 1);
    tell(resumed, {3});
    EXPECT_EQ(model.optimizer().learning_rate(), 0.5);
}

TEST_F(Callbacks, WhatCannotWorkIsAnErrorBeforeTheFirstStep) {
    const TensorDataset data(plane(20).first, plane(20).second);
    const Sequential line{Dense(1)};
    const auto error_with = [&](const Callback& callback, const Optimizer& optimizer) {
        line.compile({.optimizer = optimizer, .loss = "mse", .metrics = {"mae"}});
        const std::string message = error_of([&] { line.fit(data, {.verbose = 0, .callbacks = {callback}}); });
        EXPECT_EQ(optimizer.iterations(), 0) << message;
        return message;
    };
    const std::string missing =
        ": there is no \"val_loss\" to monitor (fit was given no validation data); there are: loss, mae, "
        "learning_rate, seconds, samples_per_second";
    EXPECT_EQ(error_with(EarlyStopping(), SGD()), "EarlyStopping" + missing);
    EXPECT_EQ(error_with(ReduceLROnPlateau(), SGD()), "ReduceLROnPlateau" + missing);
    EXPECT_EQ(error_with(ModelCheckpoint("x", {.save_best_only = true}), SGD()), "ModelCheckpoint" + missing);
    const ReduceLROnPlateau watching({.monitor = "mae"});
    EXPECT_EQ(error_with(watching, SGD({.learning_rate = CosineDecay({.decay_steps = 10})})),
              "ReduceLROnPlateau: SGD: the learning rate follows a schedule and cannot be set");
    EXPECT_EQ(error_with(watching, OptimizerGroups({{{"*"}, SGD()}})),
              "ReduceLROnPlateau: OptimizerGroups: set the learning rate of a group's optimizer");
}

TEST_F(Callbacks, ModelCheckpointMakesItsFolder) {
    const std::string place = folder("made");
    tell(ModelCheckpoint(place + "/a/b{epoch}/model.safetensors"), {9, 8});
    EXPECT_TRUE(std::filesystem::exists(place + "/a/b1/model.safetensors"));
    EXPECT_TRUE(std::filesystem::exists(place + "/a/b2/model.safetensors"));
    std::filesystem::remove_all(place);
    std::ofstream(place) << "a file";
    const TensorDataset data(plane(20).first, plane(20).second);
    const Sequential line{Dense(1)};
    const SGD sgd;
    line.compile({.optimizer = sgd, .loss = "mse"});
    const ModelCheckpoint impossible(place + "/model.safetensors");
    EXPECT_NE(error_of([&] { line.fit(data, {.verbose = 0, .callbacks = {impossible}}); }).find("cannot create"),
              std::string::npos);
    EXPECT_EQ(sgd.iterations(), 0);
    std::filesystem::remove(place);
}

TEST_F(Callbacks, LearningRateScheduler) {
    tell(LearningRateScheduler([](std::int64_t epoch, double rate) { return epoch == 2 ? 7 : rate / 2; }), {1, 1});
    EXPECT_EQ(model.optimizer().learning_rate(), 0.25);
    tell(LearningRateScheduler([](std::int64_t epoch, double rate) { return epoch == 2 ? 7 : rate / 2; }), {1});
    EXPECT_EQ(model.optimizer().learning_rate(), 7);
}

TEST_F(Callbacks, ModelCheckpointKeepsTheBest) {
    const std::string place = folder("best");
    tell(ModelCheckpoint(place + "/best.safetensors", {.save_best_only = true, .save_weights_only = true}), {5, 2, 3});
    tell(ModelCheckpoint(place + "/at{epoch}.safetensors"), {9});
    model.load_weights(place + "/best.safetensors");
    EXPECT_EQ(weight(), 2);
    EXPECT_EQ(Model::load(place + "/at4.safetensors").parameters()[0].second.to_vector<float>()[0], 9);
    std::filesystem::remove_all(place);
}

std::string contents(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(CallbacksOfAFailedRun, AreEnded) {
    const std::string place = folder("failed");
    const TensorDataset data(plane(40).first, plane(40).second);
    const Sequential line{Dense(1)};
    line.compile({.optimizer = SGD({.learning_rate = 0.1}), .loss = "mse"});
    const JSONLines log(place + "/log.jsonl");
    bool fails = true;
    int ended = 0, of_the_failed = 0;
    const LambdaCallback failing({.on_batch_end = [&](Training& training) {
        if (fails && training.step == 3) throw Error("the disk is gone");
    }});
    const LambdaCallback counting({.on_train_end = [&](Training& training) {
        ++ended;
        of_the_failed += training.failed;
        if (fails) throw Error("and this one with it");
    }});
    const LambdaCallback last({.on_train_end = [&](Training&) { ++ended; }});
    const FitOptions options{.batch_size = 10, .verbose = 0, .callbacks = {failing, log, counting, last}};
    EXPECT_EQ(error_of([&] { line.fit(data, options); }), "the disk is gone");
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(of_the_failed, 1);
    fails = false;
    line.fit(data, options);  // the log can be opened again
    EXPECT_EQ(ended, 4);
    EXPECT_EQ(of_the_failed, 1);
    const std::string json = contents(place + "/log.jsonl");
    EXPECT_NE(json.find(R"({"event":"end","interrupted":false,"failed":true})"), std::string::npos) << json;
    EXPECT_NE(json.find(R"({"event":"end","interrupted":false})"), std::string::npos) << json;

    const LambdaCallback refusing(
        {.on_train_begin = [](Training&) { throw Error("no"); }, .on_train_end = [&](Training&) { ended = 1000; }});
    EXPECT_EQ(error_of([&] { line.fit(data, {.verbose = 0, .callbacks = {counting, refusing, last}}); }), "no");
    EXPECT_EQ(ended, 5);  // only the one before
    std::filesystem::remove_all(place);
}

TEST_F(Callbacks, Logs) {
    const std::string place = folder("logs");
    tell(CSVLogger(place + "/a/log.csv"), {0.5, 0.25});
    EXPECT_EQ(contents(place + "/a/log.csv"), history.to_csv());

    tell(JSONLines(place + "/log.jsonl"), {std::nan("")});
    const std::string json = contents(place + "/log.jsonl");
    EXPECT_NE(json.find("\"event\":\"epoch\",\"epoch\":3"), std::string::npos) << json;
    EXPECT_EQ(json.find("nan"), std::string::npos) << json;
    for (std::size_t first = 0; first < json.size();) {
        const std::size_t last = json.find('\n', first);
        EXPECT_TRUE(Config::parse(json.substr(first, last - first)).has("event"));
        first = last + 1;
    }

    tell(TensorBoard(place + "/board", {.histograms = true}), {0.5});
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(place + "/board/train"), {}), 1);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(place + "/board/validation"), {}), 1);
    std::filesystem::remove_all(place);
}

TEST_F(Callbacks, ProgressIsPlainLinesInAFile) {
    const std::string place = folder("progress"), path = place + "/out";
    const int file = open(path.c_str(), O_CREAT | O_WRONLY, 0600);
    ASSERT_GE(file, 0);
    tell(ProgressBar({.descriptor = file}), {0.5});
    close(file);
    const std::string line = "epoch 1/100  0:00  10/s  loss 0.5  val_loss 0.5  val_accuracy -0.5  learning_rate 0.1";
    EXPECT_TRUE(std::regex_match(contents(path), std::regex(line + "  memory [0-9]+ MB\n"))) << contents(path);
    std::filesystem::remove_all(place);
}

TEST(Progress, SaysWhatIsLeft) {
    const auto [x, y] = plane(40);
    Sequential model{Dense(1)};
    model.compile({.optimizer = SGD({.learning_rate = 0.25}), .loss = "mse"});
    const std::string place = folder("left"), path = place + "/out";
    std::vector<std::int64_t> left;
    const LambdaCallback recorder({.on_train_begin = [&](Training& t) { left.push_back(t.steps_left); },
                                   .on_batch_end = [&](Training& t) { left.push_back(t.steps_left); }});
    const auto run = [&](std::int64_t steps) {
        left.clear();
        const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
        model.fit(x, y,
                  {.epochs = 2,
                   .batch_size = 10,
                   .steps = steps,
                   .verbose = 0,
                   .callbacks = {recorder, ProgressBar({.descriptor = file, .every_steps = 2})}});
        close(file);
        return contents(path);
    };
    const std::string text = run(0);
    EXPECT_EQ(left, (std::vector<std::int64_t>{8, 7, 6, 5, 4, 3, 2, 1, 0}));
    const std::string left_text = "  [0-9]+:[0-9][0-9] left", rate = "  [0-9]+/s", memory = "  memory [0-9]+ MB";
    const std::string numbers = "  loss [^ ]+  learning_rate 0.25" + memory;
    const std::regex expected("epoch 1/2 2/4" + left_text + rate + numbers + "\n" +    //
                              "epoch 1/2 4/4" + left_text + rate + numbers + "\n" +    //
                              "epoch 1/2  0:0." + rate + numbers + left_text + "\n" +  //
                              "epoch 2/2 2/4" + left_text + rate + numbers + "\n" +    //
                              "epoch 2/2 4/4" + rate + numbers + "\nepoch 2/2  0:0." + rate + numbers + "\n");
    EXPECT_TRUE(std::regex_match(text, expected)) << text;
    run(5);
    EXPECT_EQ(left, (std::vector<std::int64_t>{5, 4, 3, 2, 1, 0}));
    std::filesystem::remove_all(place);
}

/// What a terminal of so many columns shows of a short training; carriage returns begin a new line.
std::vector<std::string> on_terminal(unsigned columns) {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return {};
    const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    const winsize size{24, static_cast<unsigned short>(columns), 0, 0};
    ioctl(terminal, TIOCSWINSZ, &size);
    const auto [x, y] = plane(40);
    Sequential model{Dense(1)};
    model.compile({.optimizer = SGD({.learning_rate = 0.25}), .loss = "mse"});
    model.fit(x, y,
              {.epochs = 1, .batch_size = 10, .verbose = 0, .callbacks = {ProgressBar({.descriptor = terminal})}});
    std::string text(4096, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(read(master, text.data(), text.size()), 0)));
    close(terminal);
    close(master);
    std::vector<std::string> lines(1);
    for (const char letter : text)
        if (letter == '\r' || letter == '\n')
            lines.emplace_back();
        else
            lines.back() += letter;
    return lines;
}

TEST(Progress, FitsTheTerminal) {
    const std::string clear = "\033[K";
    for (const unsigned columns : {200u, 90u, 80u, 30u}) {
        const std::vector<std::string> lines = on_terminal(columns);
        ASSERT_GE(lines.size(), 2u) << "no pseudo terminal";
        const std::string& line = lines[1];  // of the first step
        ASSERT_TRUE(line.starts_with(clear + "epoch 1/1 ")) << line;
        EXPECT_LT(line.size() - clear.size(), columns) << line;
        EXPECT_EQ(line.find("[======") != std::string::npos, columns == 200) << line;
        EXPECT_TRUE(columns < 90 || line.ends_with(" MB")) << line;
    }
}

TEST(Terminate, OnALossThatIsNotFinite) {
    const auto [x, y] = plane(40);
    Sequential model{Dense(1)};
    model.compile({.optimizer = SGD({.learning_rate = 1e30}), .loss = "mse"});
    const History history =
        model.fit(x, y, {.epochs = 5, .batch_size = 4, .verbose = 0, .callbacks = {TerminateOnNaN()}});
    EXPECT_TRUE(history.stopped_early);
    EXPECT_EQ(history.epochs().size(), 1u);
    EXPECT_LT(model.optimizer().iterations(), 10);
}

TEST(Order, OfTheHooks) {
    const auto [x, y] = plane(20);
    Sequential model{Dense(1)};
    model.compile({.optimizer = "sgd", .loss = "mse"});
    std::string order;
    const LambdaCallback recorder({.on_train_begin = [&](Training&) { order += "("; },
                                   .on_train_end = [&](Training&) { order += ")"; },
                                   .on_epoch_begin = [&](Training&) { order += "["; },
                                   .on_epoch_end =
                                       [&](Training& t, const Result& logs) {
                                           EXPECT_EQ(static_cast<std::int64_t>(t.history.epochs().size()), t.epoch);
                                           EXPECT_TRUE(logs.has("val_loss"));
                                           order += "]";
                                       },
                                   .on_batch_begin = [&](Training&) { order += ","; },
                                   .on_batch_end = [&](Training&) { order += "."; }});
    model.fit(x, y, {.epochs = 2, .batch_size = 10, .validation_data = {x, y}, .verbose = 0, .callbacks = {recorder}});
    EXPECT_EQ(order, "([,.,.][,.,.])");
}

}  // namespace
}  // namespace heddle
