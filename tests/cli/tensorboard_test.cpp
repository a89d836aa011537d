#include <algorithm>
#include <array>
#include <cstdio>

#include "tests/cli/command.h"
#include "tests/cli/samples.h"
#include "train/history.h"
#include "train/model.h"

namespace heddle::cli_tests {
namespace {

using testing_files::read_bytes;
using testing_files::TempFolder;

class TensorBoardEvents : public testing::Test {
  protected:
    void SetUp() override { write_idx_folder(data); }
    std::vector<std::string> words(const std::string& place, const std::string& epochs) const {
        return {"train",  "linear", "--data",  data,          "--batch-size", "16",    "--epochs", epochs,
                "--seed", "1",      "--quiet", "--val-split", "0.25",         "--out", place};
    }
    void train(const std::string& epochs, const std::vector<std::string>& more = {}) const {
        std::vector<std::string> all = words(out, epochs);
        all.emplace_back("--tensorboard");
        all.insert(all.end(), more.begin(), more.end());
        expect_done(all);
    }

    const TempFolder folder;
    const std::string data = folder / "rows", out = folder / "out", board = out + "/tensorboard";
};

TEST_F(TensorBoardEvents, AreAskedFor) {
    expect_complaint(heddle({"train", "linear", "--data", data, "--tensorboard"}), 2, {"--out"});
    train("2");
    EXPECT_EQ(listing(board), (std::vector<std::string>{"train", "validation"}));
    // Another run begins anew; one that is resumed goes on in a file of its own.
    train("1");
    EXPECT_EQ(listing(board + "/train").size(), 1u);
    train("2", {"--resume"});
    EXPECT_EQ(listing(board + "/train").size(), 2u);
    // They change nothing of the training.
    const std::string weights = read_bytes(out + "/linear.safetensors");
    expect_done(words(folder / "plain", "2"));
    EXPECT_EQ(read_bytes(folder / "plain/linear.safetensors"), weights);
}

/// What TensorBoard reads from a folder.
Json read_by_tensorboard(const std::string& folder) {
    const std::string command = std::string("'") + HEDDLE_TENSORBOARD + "/python' '" + HEDDLE_TEST_FOLDER +
                                "/read_events.py' '" + folder + "' 2>&1";
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return {};
    std::string text;
    std::array<char, 4096> part{};
    for (std::size_t count = 0; (count = std::fread(part.data(), 1, part.size(), pipe)) > 0;)
        text.append(part.data(), count);
    EXPECT_EQ(::pclose(pipe), 0) << text;
    const std::size_t begin = text.rfind("\n{");  // warnings may come first
    return Json::parse(begin == std::string::npos ? text : text.substr(begin + 1), nullptr, false);
}

TEST_F(TensorBoardEvents, AreReadByTensorBoard) {
    if (!std::filesystem::exists(HEDDLE_TENSORBOARD "/tensorboard"))
        GTEST_SKIP() << "TensorBoard: 1 test not run: there is no " << HEDDLE_TENSORBOARD << "/tensorboard"
                     << " (scripts/install_deps.sh --tensorboard makes it)";
    train("2", {"--log-steps", "1"});
    const Json events = read_by_tensorboard(board + "/train"), validation = read_by_tensorboard(board + "/validation");
    ASSERT_TRUE(events.is_object() && validation.is_object());
    const History history = History::from_csv(read_bytes(out + "/history.csv"), "history.csv");
    const auto expect_series = [](const Json& entry, const std::vector<double>& expected) {
        EXPECT_EQ(entry.at("plugin"), "scalars");
        EXPECT_EQ(entry.at("steps"), (std::vector<std::int64_t>{0, 1}));
        for (std::size_t i = 0; i < 2; ++i)
            EXPECT_EQ(entry.at("values").at(i).get<float>(), static_cast<float>(expected[i]));
    };
    for (const std::string name : {"loss", "accuracy"}) {
        expect_series(events.at("epoch_" + name), history.at(name));
        expect_series(validation.at("epoch_" + name), history.at("val_" + name));
    }
    expect_series(events.at("epoch_learning_rate"), history.at("learning_rate"));

    // 72 examples are 5 steps; the last mean of an epoch is the epoch's.
    for (const std::string name : {"loss", "accuracy", "learning_rate"}) {
        const Json& steps = events.at("batch_" + name);
        EXPECT_EQ(steps.at("steps"), (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
        EXPECT_EQ(steps.at("values").at(9), events.at("epoch_" + name).at("values").at(1));
    }

    const Model model = Model::load(out + "/linear.safetensors");
    for (const auto& [name, parameter] : model.parameters()) {
        const Json& entry = events.at(name);
        EXPECT_EQ(entry.at("plugin"), "histograms");
        ASSERT_EQ(entry.at("values").size(), 2u);
        std::vector<float> weights = parameter.to_vector<float>();
        std::sort(weights.begin(), weights.end());
        const Json& intervals = entry.at("values").at(1);
        EXPECT_EQ(intervals.front().at(0).get<float>(), weights.front()) << name;
        EXPECT_EQ(intervals.back().at(1).get<float>(), weights.back()) << name;
        double count = 0;
        for (const Json& interval : intervals) count += interval.at(2).get<double>();
        EXPECT_EQ(count, static_cast<double>(weights.size())) << name;
    }

    const Json& samples = events.at("samples");
    EXPECT_EQ(samples.at("plugin"), "images");
    EXPECT_EQ(samples.at("steps"), (std::vector<std::int64_t>{0, 1}));
    EXPECT_EQ(samples.at("values").at(0).at(0), 6 * 154 + 10);
}

}  // namespace
}  // namespace heddle::cli_tests
