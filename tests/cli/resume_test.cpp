#include <cstdlib>
#include <filesystem>

#include "tests/cli/command.h"
#include "tests/cli/samples.h"

// An interrupted run that is resumed must give the bits of an unbroken one.
namespace heddle::cli_tests {
namespace {

using testing_files::read_bytes;
using testing_files::TempFolder;

class Resume : public testing::Test {
  protected:
    void SetUp() override { write_idx_folder(data); }

    std::vector<std::string> words(const std::string& out, std::vector<std::string> more) const {
        std::vector<std::string> all{"train", "cnn",       "--data",    data,    "--batch-size",
                                     "16",    "--augment", "crop-flip", "--out", out};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    static std::string without_times(const std::string& history) {  // the last two columns
        std::string kept;
        std::istringstream lines(history);
        for (std::string line; std::getline(lines, line);)
            kept += line.substr(0, line.rfind(',', line.rfind(',') - 1)) + "\n";
        return kept;
    }
    void expect_same_results() const {
        EXPECT_EQ(read_bytes(whole + "/cnn.safetensors"), read_bytes(parts + "/cnn.safetensors"));
        EXPECT_EQ(without_times(read_bytes(whole + "/history.csv")), without_times(read_bytes(parts + "/history.csv")));
        EXPECT_EQ(listing(whole), listing(parts));
    }

    const TempFolder folder;
    const std::string data = folder / "rows", whole = folder / "whole", parts = folder / "parts";
};

TEST_F(Resume, AfterSteps) {
    // 6 steps an epoch; 8 end inside the second one. Other ways of output do not matter.
    expect_done(words(whole, {"--epochs", "3"}));
    expect_done(words(parts, {"--epochs", "3", "--steps", "8", "--quiet"}));
    EXPECT_NE(read_bytes(whole + "/cnn.safetensors"), read_bytes(parts + "/cnn.safetensors"));
    expect_done(words(parts, {"--epochs", "3", "--resume", "--json", "--log-steps", "3"}));
    expect_same_results();
}

TEST_F(Resume, AfterStepsWithoutEpochs) {
    expect_done(words(whole, {"--steps", "9", "--quiet"}));
    expect_done(words(parts, {"--steps", "4", "--quiet"}));
    expect_done(words(parts, {"--steps", "9", "--quiet", "--resume"}));
    EXPECT_EQ(read_bytes(whole + "/cnn.safetensors"), read_bytes(parts + "/cnn.safetensors"));
}

TEST_F(Resume, AfterAnInterrupt) {
    const std::vector<std::string> options{"--epochs", "60", "--json", "--log-steps", "1"};
    Command command(words(parts, options));
    ASSERT_TRUE(command.wait_for([&] { return command.out_so_far().find("\"step\":9,") != std::string::npos; }));
    command.signal(SIGINT);
    const Outcome outcome = command.finish();
    EXPECT_EQ(outcome.status, 130) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    EXPECT_EQ(outcome.records().back().at("event"), "interrupted");
    for (const std::string& name : listing(parts))
        EXPECT_TRUE(name == "checkpoint.safetensors" || name == "history.csv" || name == "run.json") << name;

    expect_done(words(whole, options));
    expect_done(words(parts, {"--epochs", "60", "--quiet", "--resume"}));
    expect_same_results();
}

// kill -9, while a checkpoint is written after every step: what is there afterwards can be resumed.
TEST_F(Resume, AfterAKillAtAnyMoment) {
    const std::vector<std::string> options{"--epochs", "8", "--checkpoint-steps", "1", "--quiet", "--resume"};
    const auto begin = std::chrono::steady_clock::now();
    expect_done(words(whole, options));
    const auto whole_run =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
    const int rounds = std::getenv("HEDDLE_TEST_FULL") ? 30 : 3;
    Generator moments(11);
    int killed = 0, in_training = 0;
    for (int round = 0; round < rounds; ++round) {
        std::filesystem::remove_all(parts);
        Command command(words(parts, options));
        std::this_thread::sleep_for(
            std::chrono::microseconds(moments.below(static_cast<std::uint64_t>(whole_run.count()))));
        command.signal(SIGKILL);
        killed += command.finish().status == 128 + SIGKILL;
        in_training += std::filesystem::exists(parts + "/checkpoint.safetensors") &&
                       !std::filesystem::exists(parts + "/cnn.safetensors");
        expect_done(words(parts, options));
        expect_same_results();
        ASSERT_FALSE(HasFailure()) << "round " << round;
    }
    std::printf("%d of %d runs were killed, %d of them with a checkpoint and no result yet\n", killed, rounds,
                in_training);
    EXPECT_GT(killed, 0);
}

TEST_F(Resume, StartsAnewWithoutACheckpoint) {
    const Outcome outcome = expect_done(words(parts, {"--epochs", "1", "--resume"}));
    EXPECT_NE(outcome.out.find("no checkpoint in"), std::string::npos) << outcome.out;
}

TEST_F(Resume, RefusesAnotherRunsCheckpoint) {
    expect_done(words(parts, {"--epochs", "1", "--quiet"}));
    const std::string before = read_bytes(parts + "/checkpoint.safetensors");
    const std::string path = parts + "/checkpoint.safetensors";
    expect_complaint(heddle(words(parts, {"--epochs", "2", "--resume", "--seed", "5"})), 1, {path, "seed"});
    expect_complaint(heddle(words(parts, {"--epochs", "2", "--resume", "--optimizer", "sgd"})), 1, {path, "Adam"});
    expect_complaint(
        heddle({"train", "linear", "--data", data, "--batch-size", "16", "--out", parts, "--resume", "--epochs", "2"}),
        1, {path, "another model"});
    EXPECT_EQ(read_bytes(path), before);
    testing_files::write_bytes(path, before.substr(0, before.size() / 2));
    expect_complaint(heddle(words(parts, {"--epochs", "2", "--resume"})), 1, {path});
}

}  // namespace
}  // namespace heddle::cli_tests
