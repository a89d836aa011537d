#include "data/sources.h"
#include "tests/cli/command.h"
#include "tests/cli/samples.h"
#include "train/model.h"

namespace heddle::cli_tests {
namespace {

using testing_files::TempFolder;
using testing_files::write_bytes;

TEST(Evaluate, TestAugmentationIsTheModels) {
    const TempFolder folder;
    const std::string data = folder / "rows", out = folder / "out", weights = out + "/cnn.safetensors";
    write_idx_folder(data);
    expect_done({"train", "cnn", "--data", data, "--epochs", "1", "--batch-size", "16", "--out", out});
    const Model model = Model::load(weights);
    model.compile(
        {.optimizer = "sgd", .loss = SparseCategoricalCrossentropy({.from_logits = true}), .metrics = {"accuracy"}});
    std::vector<double> losses;
    for (const char* name : {"none", "flip", "flip-shift"}) {
        const Result expected =
            model.evaluate(open_dataset(data).test, {.test_augmentation = parse_test_augmentation(name)});
        const Json got =
            expect_done({"evaluate", "--weights", weights, "--data", data, "--test-augmentation", name, "--json"})
                .records()
                .at(0);
        EXPECT_NEAR(got.at("test_loss"), expected.at("loss"), 1e-5) << name;
        EXPECT_NEAR(got.at("test_accuracy"), expected.at("accuracy"), 1e-9) << name;
        EXPECT_EQ(got.value("test_augmentation", "none"), name);
        losses.push_back(got.at("test_loss"));
    }
    EXPECT_GT(std::abs(losses[1] - losses[0]), 1e-4);  // three predictions of their own
    EXPECT_GT(std::abs(losses[2] - losses[1]), 1e-4);
    EXPECT_NE(expect_done({"evaluate", "--weights", weights, "--data", data, "--test-augmentation", "flip"})
                  .out.find("test augmentation flip)"),
              std::string::npos);
    expect_complaint(heddle({"evaluate", "--weights", weights, "--data", data, "--test-augmentation", "rotate"}), 2,
                     {"none, flip, flip-shift"});
}

TEST(Evaluate, TheLabelColumnThatTrainingTook) {
    const TempFolder folder;
    const std::string data = folder / "table.csv", out = folder / "out", weights = out + "/linear.safetensors";
    std::string text = "kind,x,y\n";
    for (int i = 0; i < 80; ++i)
        text += std::string(i % 2 ? "odd" : "even") + "," + (i % 2 ? "1" : "-1") + "," + std::to_string(i) + ".5\n";
    write_bytes(data, text);
    // Without the option the last column is the label, whose numbers are no classes.
    expect_complaint(heddle({"train", "linear", "--data", data}), 1, {"its labels are numbers, not classes"});
    const std::vector<std::string> column = {"--data", data, "--label-column", "kind", "--json"};
    const auto with_column = [&](std::vector<std::string> words) {
        words.insert(words.end(), column.begin(), column.end());
        return expect_done(words).records().back();
    };
    const Json trained = with_column({"train", "linear", "--epochs", "2", "--out", out});
    const Json again = with_column({"evaluate", "--weights", weights});
    EXPECT_EQ(again.at("examples"), 8);
    EXPECT_EQ(again.at("test_accuracy"), trained.at("test_accuracy"));  // the same test part
    EXPECT_NEAR(again.at("test_loss"), trained.at("test_loss"), 1e-5);
    expect_complaint(heddle({"evaluate", "--weights", weights, "--data", data, "--label-column", "colour"}), 1,
                     {"table.csv", "no column \"colour\""});
    write_idx_folder(folder / "rows");
    expect_complaint(heddle({"train", "linear", "--data", folder / "rows", "--label-column", "kind"}), 1,
                     {"no CSV file", "\"kind\""});
}

}  // namespace
}  // namespace heddle::cli_tests
