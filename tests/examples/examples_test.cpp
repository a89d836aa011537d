#include <gtest/gtest.h>

#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/env.h"
#include "train/model.h"

// Every example program learns: each runs as a user runs it, on a small part of its real data, and must reach what an
// untrained model, a constant answer or a broken layer misses by far.
namespace heddle {
namespace {

struct Outcome {
    int status = -1;
    std::string output = {};

    /// The number behind `what` in a line of its own: "test accuracy 0.8912 (...)".
    double at(std::string_view what) const {
        for (std::size_t begin = 0; begin < output.size();) {
            const std::size_t end = std::min(output.find('\n', begin), output.size());
            const std::string line = output.substr(begin, end - begin);
            if (line.starts_with(what) && line.size() > what.size() && line[what.size()] == ' ')
                return std::stod(line.substr(what.size()));
            begin = end + 1;
        }
        ADD_FAILURE() << "no \"" << what << "\" in:\n" << output;
        return std::nan("");
    }
};

class Examples : public ::testing::Test {
  protected:
    /// Runs a program with its output folder in a place of this test's own.
    Outcome run(const std::string& name, const std::string& arguments, int status = 0) {
        const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
        folder_ = ::testing::TempDir() + "/heddle_examples_" + test.name();
        const std::string command = "HEDDLE_THREADS=1 " HEDDLE_EXAMPLES "/" + name + " --out " + folder_ +
                                    " --device cpu " + arguments + " 2>&1";
        Outcome outcome;
        FILE* pipe = ::popen(command.c_str(), "r");
        if (pipe == nullptr) {
            ADD_FAILURE() << "cannot run " << command;
            return outcome;
        }
        char part[4096];
        for (std::size_t read = 0; (read = std::fread(part, 1, sizeof part, pipe)) > 0;)
            outcome.output.append(part, read);
        outcome.status = WEXITSTATUS(::pclose(pipe));
        EXPECT_EQ(outcome.status, status) << command << "\n" << outcome.output;
        return outcome;
    }
    /// A picture was written, and a whole model that loads.
    void expect_picture(const std::string& name) const {
        EXPECT_GT(std::filesystem::file_size(folder_ + "/" + name), 1000u) << name;
    }
    void expect_model(const std::string& name) const {
        EXPECT_FALSE(Model::load(folder_ + "/" + name).input_shapes().empty()) << name;
    }
    ~Examples() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

  private:
    std::string folder_;
};

/// Real data that no Debian package holds: below $HEDDLE_DATA. Where it is missing the test says so and is counted as
/// skipped.
#define HEDDLE_NEEDS_DATA(variable, name)                                    \
    const std::string variable = env("HEDDLE_DATA").value_or("") + "/" name; \
    if (!env("HEDDLE_DATA") || !std::filesystem::exists(variable))           \
    GTEST_SKIP() << "needs $HEDDLE_DATA/" name " (docs/guides/examples.md names the data sets)"

TEST_F(Examples, LinearRegression) {
    const Outcome o = run("linear_regression", "");
    EXPECT_LE(o.at("largest error of a coefficient"), 1e-3);
    expect_picture("loss.png");
    expect_model("linear_regression.safetensors");
}

TEST_F(Examples, ValueIteration) {
    const Outcome o = run("value_iteration", "");
    EXPECT_EQ(o.at("squares where the policies differ"), 0);
    EXPECT_GT(o.at("value of the start"), 0.1);  // the goal is worth walking to
}

TEST_F(Examples, Mlp) {
    const Outcome o = run("mlp", "--examples 6000 --epochs 3");
    EXPECT_GT(o.at("test accuracy"), 0.75);
    expect_picture("curves.png");
    expect_model("mlp.safetensors");
}

TEST_F(Examples, Cnn) {
    const Outcome o = run("cnn", "--examples 4000 --epochs 3");
    EXPECT_GT(o.at("test accuracy"), 0.72);
    expect_picture("confusion.png");
    expect_model("cnn.safetensors");
}

TEST_F(Examples, Regularization) {
    const Outcome o = run("regularization", "--examples 500 --epochs 3");
    EXPECT_GT(o.at("best test accuracy"), 0.5);
    expect_picture("regularization.png");
}

TEST_F(Examples, Activations) {
    const Outcome o = run("activations", "--examples 4000 --epochs 4");
    EXPECT_GT(o.at("best test accuracy"), 0.72);
    expect_picture("activations.png");
}

TEST_F(Examples, CustomLayer) {
    const Outcome o = run("custom_layer", "--examples 6000");
    EXPECT_LE(o.at("largest relative difference of outputs, gradients, predictions"), 1e-5);
    EXPECT_GT(o.at("test accuracy with the own layer"), 0.3);
}

TEST_F(Examples, Autoencoder) {
    const Outcome o = run("autoencoder", "--examples 5000 --epochs 6");
    EXPECT_LT(o.at("test MSE"), 0.04);  // the mean picture: 0.09
    expect_picture("reconstructions.png");
    expect_model("autoencoder.safetensors");
}

TEST_F(Examples, DeepQLearning) {
    const Outcome o = run("dqn", "--epochs 5");
    EXPECT_GT(o.at("mean return of 100 greedy episodes"), 100);  // untrained: about 10
    expect_model("dqn.safetensors");
}

TEST_F(Examples, ResNetOnCifar) {
    HEDDLE_NEEDS_DATA(cifar, "cifar10-exact-mini");
    const Outcome o = run("resnet_cifar10", "--data " + cifar + " --epochs 5");
    EXPECT_GT(o.at("test accuracy"), 0.22);
    expect_model("resnet20.safetensors");
}

TEST_F(Examples, Detection) {
    if (std::getenv("HEDDLE_TEST_FULL") == nullptr) GTEST_SKIP() << "long: set HEDDLE_TEST_FULL=1";
    HEDDLE_NEEDS_DATA(cifar, "cifar10-exact-mini");
    const Outcome o = run("detection", "--backgrounds " + cifar + " --examples 6000 --epochs 8");
    EXPECT_GT(o.at("mean IoU"), 0.45);  // the best constant box: 0.35
    EXPECT_GT(o.at("class accuracy"), 0.2);
    expect_picture("boxes.png");
    expect_model("detection.safetensors");
}

TEST_F(Examples, VariationalAutoencoder) {
    const Outcome o = run("vae_denoise", "--examples 8000 --epochs 5");
    EXPECT_GT(o.at("gain, dB"), 1);  // a blank picture loses 3 dB
    expect_picture("samples.png");
    expect_picture("walk.png");
    expect_model("encoder.safetensors");
    expect_model("decoder.safetensors");
}

TEST_F(Examples, Gan) {
    const Outcome o = run("gan", "--examples 8000 --epochs 4");
    EXPECT_GT(o.at("the judge's mean confidence"), 0.5);
    expect_picture("pictures.png");
    expect_model("generator.safetensors");
}

TEST_F(Examples, Segmentation) {
    HEDDLE_NEEDS_DATA(cifar, "cifar10-exact-mini");
    const Outcome o = run("segmentation", "--backgrounds " + cifar + " --examples 1000 --epochs 3");
    EXPECT_GT(o.at("mean IoU"), 0.4);
    expect_picture("masks.png");
    expect_model("segmentation.safetensors");
}

TEST_F(Examples, BagOfWords) {
    HEDDLE_NEEDS_DATA(reviews, "text/rt-polarity");
    const Outcome o = run("bow", "--data " + reviews + " --examples 4000 --epochs 8");
    EXPECT_GT(o.at("test accuracy"), 0.68);
    expect_model("bow.safetensors");
}

TEST_F(Examples, Word2Vec) {
    HEDDLE_NEEDS_DATA(reviews, "text/rt-polarity");
    const Outcome o = run("word2vec", "--data " + reviews + " --epochs 5");
    EXPECT_GT(o.at("pairs within the nearest 5 percent"), 0.25);
}

TEST_F(Examples, FastText) {
    HEDDLE_NEEDS_DATA(reviews, "text/rt-polarity");
    const Outcome o = run("fasttext", "--data " + reviews + " --epochs 1 --examples 6000");
    EXPECT_GT(o.at("unseen words with their stem among the nearest 10"), 0.3);
}

TEST_F(Examples, ForecastOfTemperatures) {
    HEDDLE_NEEDS_DATA(series, "timeseries/daily-min-temperatures.csv");
    const Outcome o = run("lstm_forecast", "--data " + series + " --epochs 5");
    EXPECT_GT(o.at("better than persistence, percent"), 5);
    expect_picture("forecast.png");
    expect_model("lstm_forecast.safetensors");
}

TEST_F(Examples, PicturesRowByRow) {
    const Outcome o = run("gru_classify", "--examples 3000 --epochs 2");
    EXPECT_GT(o.at("test accuracy, GRU"), 0.6);
    EXPECT_GT(o.at("test accuracy, LSTM"), 0.6);
    expect_model("gru.safetensors");
}

TEST_F(Examples, SpacesPutBack) {
    HEDDLE_NEEDS_DATA(text, "text/tinyshakespeare/input.txt");
    const Outcome o = run("sequence_labelling", "--data " + text + " --examples 150000 --epochs 3");
    EXPECT_GT(o.at("boundary F1"), 0.5);  // a space after every letter: 0.37
    expect_model("sequence_labelling.safetensors");
}

TEST_F(Examples, CharacterLanguageModel) {
    HEDDLE_NEEDS_DATA(text, "text/tinyshakespeare/input.txt");
    const Outcome o = run("char_lm", "--data " + text + " --examples 60000 --epochs 5");
    EXPECT_LT(o.at("validation loss, nats a character"), 3.0);  // how often each character is: 3.3
    expect_model("char_lm.safetensors");
}

TEST_F(Examples, Transformer) {
    HEDDLE_NEEDS_DATA(text, "text/tinyshakespeare/input.txt");
    const Outcome o = run("gpt", "--data " + text + " --examples 60000 --epochs 3");
    EXPECT_LT(o.at("validation loss, nats a character"), 3.0);
    expect_picture("curves.png");
}

TEST_F(Examples, TextAttention) {
    HEDDLE_NEEDS_DATA(reviews, "text/rt-polarity");
    const Outcome o = run("text_attention", "--data " + reviews + " --examples 4000 --epochs 4");
    EXPECT_GT(o.at("test accuracy"), 0.62);
}

TEST_F(Examples, MissingDataIsOneLine) {
    const Outcome o = run("mlp", "--data /nowhere", 1);
    EXPECT_NE(o.output.find("mlp: "), std::string::npos) << o.output;
    EXPECT_NE(o.output.find("/nowhere"), std::string::npos) << o.output;
    EXPECT_EQ(std::count(o.output.begin(), o.output.end(), '\n'), 1) << o.output;
}

}  // namespace
}  // namespace heddle
