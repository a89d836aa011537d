#include "data/sources.h"
#include "tests/cli/command.h"
#include "tests/cli/samples.h"
#include "tests/devices.h"
#include "train/model.h"

namespace heddle::cli_tests {
namespace {

using testing_files::read_bytes;
using testing_files::TempFolder;

class Train : public testing::Test {
  protected:
    void SetUp() override { write_idx_folder(data); }

    const TempFolder folder;
    const std::string data = folder / "rows", out = folder / "out";
};

TEST_F(Train, WritesModelHistoryCurvesAndCheckpoint) {
    const Outcome run =
        expect_done({"train", "cnn", "--data", data, "--epochs", "2", "--batch-size", "16", "--out", out});
    for (const char* part : {"96 training and 40 test examples [12, 12, 1], 10 classes", "Conv2D", "linear schedule",
                             "epoch 2/2", "test accuracy", "pictures/s", "peak memory"})
        EXPECT_NE(run.out.find(part), std::string::npos) << part << "\n" << run.out;
    const std::vector<std::string> files{
        "checkpoint.safetensors", "cnn.safetensors", "confusion.png", "curves.png", "history.csv",
        "mistakes.png",           "run.json"};
    EXPECT_EQ(listing(out), files);
    EXPECT_EQ(load_picture(out + "/mistakes.png").width, 6 * 154 + 10);
    EXPECT_GT(load_picture(out + "/curves.png").width, 1000);
    const std::string history = read_bytes(out + "/history.csv");
    EXPECT_TRUE(history.starts_with("epoch,loss,accuracy")) << history;
    EXPECT_EQ(std::count(history.begin(), history.end(), '\n'), 3) << history;

    const Model model = Model::load(out + "/cnn.safetensors");
    EXPECT_EQ(model.class_names().size(), 10u);
    ASSERT_TRUE(model.preprocessing().has_value());
    EXPECT_EQ(model.preprocessing()->input_shape, Shape({side, side, 1}));
}

TEST_F(Train, PrintsJsonLines) {
    const Outcome run = expect_done({"train", "linear", "--data", data, "--epochs", "8", "--batch-size", "16", "--lr",
                                     "0.02", "--val-split", "0.25", "--log-steps", "2", "--json", "--out", out});
    std::vector<std::int64_t> steps;
    int epochs = 0;
    const std::vector<Json> records = run.records();
    for (const Json& record : records) {
        if (record.at("event") == "step") {
            steps.push_back(record.at("step"));
            EXPECT_GT(record.at("loss"), 0);
        }
        if (record.at("event") == "epoch") {
            EXPECT_EQ(record.at("epoch"), ++epochs);
            for (const char* key :
                 {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds", "images_per_second"})
                EXPECT_TRUE(record.contains(key)) << key;
        }
    }
    EXPECT_EQ(epochs, 8);
    ASSERT_EQ(steps.size(), 8u * 5 / 2);  // 72 examples are 5 steps
    for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i], static_cast<std::int64_t>(2 * i + 2));
    ASSERT_FALSE(records.empty());
    const Json& last = records.back();
    EXPECT_EQ(last.at("event"), "end");
    EXPECT_GT(last.at("test_accuracy"), 0.9);
    EXPECT_GT(last.at("peak_memory_bytes"), 0);
    EXPECT_GT(last.at("peak_allocated_bytes"), 0);
    std::vector<std::string> files = last.at("files");
    std::sort(files.begin(), files.end());
    std::vector<std::string> there;
    for (const std::string& name : listing(out)) there.push_back(out + "/" + name);
    EXPECT_EQ(files, there);
    EXPECT_NEAR(last.at("images_per_second").get<double>() * last.at("seconds").get<double>(), 8 * 72, 0.01);

    const Model model = Model::load(out + "/linear.safetensors");
    model.compile(
        {.optimizer = "sgd", .loss = SparseCategoricalCrossentropy({.from_logits = true}), .metrics = {"accuracy"}});
    const Result own = model.evaluate(open_dataset(data).test);
    EXPECT_NEAR(last.at("test_accuracy"), own.at("accuracy"), 1e-9);
    EXPECT_NEAR(last.at("test_loss"), own.at("loss"), 1e-5);

    for (const std::string& weights : {out + "/linear.safetensors", folder / "plain.safetensors"}) {
        if (weights != out + "/linear.safetensors") model.save_weights(weights);
        const Json again =
            expect_done({"evaluate", "linear", "--weights", weights, "--data", data, "--json"}).records().at(0);
        EXPECT_EQ(again.at("test_accuracy"), last.at("test_accuracy")) << weights;
        EXPECT_NEAR(again.at("test_loss"), last.at("test_loss"), 1e-5) << weights;
        EXPECT_GT(again.at("images_per_second"), 0);
    }
}

TEST_F(Train, EachStepsLossIsItsOwn) {
    // With records of every step, their means over the examples are the epoch's.
    const Outcome run = expect_done({"train", "linear", "--data", data, "--epochs", "2", "--batch-size", "40", "--lr",
                                     "0.01", "--schedule", "linear", "--log-steps", "1", "--json"});
    const double weights[] = {40, 40, 16};
    double sum = 0;
    int step = 0;
    double rate = 0.01;  // a straight line to 0: the rate of a record is the one its step was made with
    for (const Json& record : run.records()) {
        if (record.at("event") == "step") {
            sum += weights[step++ % 3] * record.at("loss").get<double>();
            EXPECT_NEAR(record.at("learning_rate"), rate, 1e-9);
            rate -= 0.01 / 6;
        }
        if (record.at("event") == "epoch") {
            EXPECT_NEAR(sum / 96, record.at("loss"), 1e-6);
            sum = 0;
        }
    }
    EXPECT_EQ(step, 6);
}

TEST_F(Train, AccumulatedBatchesAreOneStep) {
    const auto run = [&](const char* batch, const char* accumulate) {
        const Outcome outcome = expect_done({"train", "linear", "--data", data, "--epochs", "2", "--schedule", "linear",
                                             "--batch-size", batch, "--accumulate", accumulate, "--json"});
        return outcome.records().back();
    };
    const Json large = run("40", "1"), small = run("10", "4");
    EXPECT_EQ(large.at("steps"), 6);
    EXPECT_EQ(small.at("steps"), 6);
    EXPECT_NEAR(small.at("test_loss"), large.at("test_loss"), 1e-4);
}

TEST_F(Train, QuietSaysTheResultAlone) {
    const Outcome run = expect_done({"train", "linear", "--data", data, "--epochs", "1", "--quiet"});
    ASSERT_EQ(run.lines().size(), 2u) << run.out;
    EXPECT_TRUE(run.lines()[0].starts_with("test accuracy ")) << run.out;
}

TEST_F(Train, EveryOptimizerAndSchedule) {
    const auto loss = [&](std::vector<std::string> more) {
        std::vector<std::string> words{"train", "linear",       "--data", data,    "--epochs",
                                       "3",     "--batch-size", "16",     "--json"};
        words.insert(words.end(), more.begin(), more.end());
        const std::vector<Json> records = expect_done(words).records();
        EXPECT_LT(records.back().at("train_loss"), records.front().at("loss")) << Json(more).dump();
        return records.back().at("test_loss").get<double>();
    };
    std::vector<double> losses;
    for (const char* optimizer : {"sgd", "adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta"})
        losses.push_back(loss({"--optimizer", optimizer}));
    for (const char* schedule : {"linear", "cosine", "step", "one-cycle"})
        losses.push_back(loss({"--schedule", schedule}));
    losses.push_back(loss({"--warmup", "4"}));
    losses.push_back(loss({"--optimizer", "sgd", "--nesterov"}));
    losses.push_back(loss({"--optimizer", "sgd", "--momentum", "0.5"}));
    losses.push_back(loss({"--optimizer", "sgd", "--weight-decay", "0.1"}));
    losses.push_back(loss({"--seed", "7"}));
    losses.push_back(loss({"--label-smoothing", "0.1"}));
    losses.push_back(loss({"--mixup", "0.2", "--val-split", "0.1"}));
    losses.push_back(loss({"--accumulate", "2"}));
    std::sort(losses.begin(), losses.end());
    EXPECT_EQ(std::unique(losses.begin(), losses.end()), losses.end()) << "an option changed nothing";
}

TEST_F(Train, CifarFolderWithAugmentation) {
    write_cifar_folder(folder / "cifar");
    const auto accuracy = [&](const char* augment) {
        return expect_done(
                   {"train", "linear", "--data", folder / "cifar", "--epochs", "2", "--augment", augment, "--json"})
            .records()
            .back()
            .at("train_loss")
            .get<double>();
    };
    EXPECT_NE(accuracy("crop-flip"), accuracy("none"));
}

TEST_F(Train, FolderOfPicturesBroughtToOneSize) {
    for (int i = 0; i < 8; ++i)
        for (const int label : {1, 7})
            save_png(folder / ("pictures/class" + std::to_string(label) + "/" + std::to_string(i) + ".png"), [&] {
                std::filesystem::create_directories(folder / ("pictures/class" + std::to_string(label)));
                return resize(sample_picture(label), side + i, side + i);
            }());
    const Outcome run = expect_done(
        {"train", "mlp", "--data", folder / "pictures", "--image-size", "14", "--epochs", "2", "--out", out});
    EXPECT_NE(run.out.find("[14, 14, 3], 2 classes"), std::string::npos) << run.out;
    expect_done({"evaluate", "mlp", "--weights", out + "/mlp.safetensors", "--data", folder / "pictures"});
}

/// Whether the picture holds a pixel of this colour.
bool has_color(const Picture& picture, int red, int green, int blue) {
    for (std::size_t i = 0; i < picture.pixels.size(); i += 3)
        if (picture.pixels[i] == red && picture.pixels[i + 1] == green && picture.pixels[i + 2] == blue) return true;
    return false;
}

TEST_F(Train, ShowsHowTheTestSetWasClassified) {
    const std::vector<std::string> words{"train", "linear", "--data", data, "--batch-size", "16",
                                         "--lr",  "0.02",   "--out",  out,  "--quiet",      "--epochs"};
    const auto with = [&](const char* epochs) {
        std::vector<std::string> all = words;
        all.emplace_back(epochs);
        return all;
    };
    // All right: only the diagonal has a colour.
    EXPECT_NE(expect_done(with("30")).out.find("test accuracy 1.0000"), std::string::npos);
    const Picture learnt = load_picture(out + "/confusion.png");
    EXPECT_TRUE(has_color(learnt, 0, 114, 178));
    EXPECT_FALSE(has_color(learnt, 213, 94, 0));
    EXPECT_TRUE(std::filesystem::exists(out + "/mistakes.png"));

    // A table has no pictures to show: those of the run before go away.
    std::string table = "a,b,label\n";
    for (int i = 0; i < 40; ++i) table += i % 2 == 0 ? "1,0,0\n" : "0,1,1\n";
    testing_files::write_bytes(folder / "table.csv", table);
    expect_done({"train", "linear", "--data", folder / "table.csv", "--epochs", "1", "--out", out, "--quiet"});
    EXPECT_TRUE(std::filesystem::exists(out + "/confusion.png"));
    EXPECT_FALSE(std::filesystem::exists(out + "/mistakes.png"));
}

TEST_F(Train, DataStaysOnADeviceUpToALimit) {
    expect_complaint(heddle({"train", "linear", "--data", data, "--resident", "-1"}), 2, {"--resident"});
    if (other_devices().empty()) GTEST_SKIP() << "no device but the CPU";
    write_idx_folder(data, 6300, 10);  // 177 bytes each: 1.06 MiB
    const auto with = [&](const char* limit) {
        return heddle({"train", "linear", "--data", data, "--device", std::string(to_string(other_devices()[0].kind)),
                       "--steps", "2", "--batch-size", "8", "--resident", limit, "--quiet"});
    };
    const Outcome little = with("1"), enough = with("2");
    EXPECT_EQ(little.status, 0);
    EXPECT_EQ(enough.status, 0);
    EXPECT_NE(little.err.find("(resident_bytes: 1 MiB)"), std::string::npos) << little.err;
    EXPECT_EQ(enough.err, "");
    EXPECT_EQ(little.out.substr(0, little.out.find('\n')),
              enough.out.substr(0, enough.out.find('\n')));  // the same bits
}

}  // namespace
}  // namespace heddle::cli_tests
