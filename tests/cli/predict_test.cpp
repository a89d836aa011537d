#include "data/files/npy.h"
#include "layers/activation.h"
#include "tests/cli/command.h"
#include "tests/cli/samples.h"
#include "train/model.h"

namespace heddle::cli_tests {
namespace {

using testing_files::TempFolder;

/// One trained model for all tests.
class Predict : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        folder = new TempFolder;
        write_idx_folder(*folder / "rows");
        expect_done({"train", "linear", "--data", *folder / "rows", "--epochs", "40", "--batch-size", "16", "--lr",
                     "0.01", "--quiet", "--out", *folder / "out"});
        for (int label = 0; label < 10; ++label) save_png(picture(label), sample_picture(label));
    }
    static void TearDownTestSuite() {
        delete folder;
        folder = nullptr;
    }
    static std::string weights() { return *folder / "out/linear.safetensors"; }
    static std::string picture(int label) { return *folder / ("picture" + std::to_string(label) + ".png"); }

    static inline TempFolder* folder = nullptr;
};

TEST_F(Predict, NamesPictures) {
    std::vector<std::string> words{"predict", "--weights", weights(), "--json", "--top", "2"};
    for (int label = 0; label < 10; ++label) words.push_back(picture(label));
    const std::vector<Json> records = expect_done(words).records();
    ASSERT_EQ(records.size(), 10u);
    for (int label = 0; label < 10; ++label) {
        const Json& record = records[static_cast<std::size_t>(label)];
        EXPECT_EQ(record.at("file"), picture(label));
        const Json& best = record.at("predictions");
        ASSERT_EQ(best.size(), 2u);
        EXPECT_EQ(best[0].at("class"), std::to_string(label));
        EXPECT_EQ(best[0].at("index"), label);
        EXPECT_GE(best[0].at("probability"), best[1].at("probability"));
        EXPECT_LE(best[0].at("probability").get<double>() + best[1].at("probability").get<double>(), 1.00001);
    }
    const Outcome text = expect_done({"predict", "--weights", weights(), picture(3)});
    EXPECT_TRUE(text.out.starts_with(picture(3) + ": 3 ")) << text.out;
}

TEST_F(Predict, ResizesPictures) {
    save_png(*folder / "large.png", resize(convert_channels(sample_picture(6), 3), 3 * side, 3 * side));
    const Outcome run = expect_done({"predict", "--weights", weights(), "--top", "1", "--json", *folder / "large.png"});
    EXPECT_EQ(run.records().at(0).at("predictions").at(0).at("index"), 6);
}

TEST_F(Predict, ArraysGiveTheModelsLogits) {
    const Model model = Model::load(weights());
    std::vector<Picture> pictures;
    for (int label = 0; label < 10; ++label) pictures.push_back(sample_picture(label));
    const Tensor input = model.preprocessing()->apply(pictures);
    save_npy(*folder / "x.npy", input);
    const std::string y = *folder / "y.npy";
    expect_done({"predict", "--weights", weights(), "--input", *folder / "x.npy", "--output", y});
    const Tensor logits = load_npy(y);
    EXPECT_EQ(logits.shape(), Shape({10, 10}));
    const std::vector<float> expected = model.predict(input).to_vector<float>(), got = logits.to_vector<float>();
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5);

    // Weights alone, with the model's name.
    model.save_weights(*folder / "plain.safetensors");
    expect_done({"predict", "--weights", *folder / "plain.safetensors", "--model", "linear", "--input",
                 *folder / "x.npy", "--output", *folder / "y2.npy"});
    EXPECT_EQ(load_npy(*folder / "y2.npy").to_vector<float>(), got);
}

TEST_F(Predict, OutputsThatAreProbabilitiesAreTakenAsSuch) {
    const Model plain = Model::load(weights());
    const auto said = [](const std::string& file) {
        return expect_done({"predict", "--weights", file, "--top", "10", "--json", picture(2)})
            .records()
            .at(0)
            .at("predictions");
    };
    const auto tested = [](const std::string& file) {
        return expect_done({"evaluate", "--weights", file, "--data", *folder / "rows", "--json"}).records().at(0);
    };
    const Json expected = said(weights());
    const double loss = tested(weights()).at("test_loss");
    const Sequential chain{plain, Softmax()};
    chain.build(plain.input_shapes());
    const Symbol in = Input(plain.input_shapes()[0]);
    const Model graph(in, Softmax()(plain(in)));
    for (const Model& model : {Model(chain), graph}) {
        model.set_preprocessing(plain.preprocessing());
        model.set_class_names(plain.class_names());
        model.save(*folder / "softmax.safetensors");
        const Json got = said(*folder / "softmax.safetensors");
        for (std::size_t i = 0; i < expected.size(); ++i) {
            EXPECT_EQ(got.at(i).at("class"), expected.at(i).at("class"));
            EXPECT_NEAR(got.at(i).at("probability"), expected.at(i).at("probability"), 1e-6);
        }
        EXPECT_NEAR(tested(*folder / "softmax.safetensors").at("test_loss"), loss, 1e-5);
    }
}

TEST_F(Predict, RefusesWhatDoesNotFit) {
    const std::string y = *folder / "refused.npy";
    const auto array = [&](const Tensor& x) {
        save_npy(*folder / "wrong.npy", x);
        return heddle({"predict", "--weights", weights(), "--input", *folder / "wrong.npy", "--output", y});
    };
    expect_complaint(array(Tensor::zeros(Shape{2, 5, 5, 1})), 1, {"wrong.npy", "[5, 5, 1]", "[12, 12, 1]"});
    expect_complaint(array(Tensor::zeros(Shape{2, side, side, 1}, {.dtype = DType::f64})), 1, {"wrong.npy", "f64"});
    expect_complaint(array(Tensor::zeros(Shape{0, side, side, 1})), 1, {"wrong.npy"});
    testing_files::write_bytes(*folder / "wrong.npy", "\x93NUMPY\x01");
    expect_complaint(heddle({"predict", "--weights", weights(), "--input", *folder / "wrong.npy", "--output", y}), 1,
                     {"wrong.npy"});
    EXPECT_FALSE(std::filesystem::exists(y));
    expect_complaint(heddle({"predict", "--weights", weights(), picture(0), "--output", "/none/y.npy"}), 1,
                     {"/none/y.npy", "no folder /none"});

    const std::string png = testing_files::read_bytes(picture(0));
    testing_files::write_bytes(*folder / "cut.png", png.substr(0, png.size() / 2));
    expect_complaint(heddle({"predict", "--weights", weights(), *folder / "cut.png"}), 1, {"cut.png"});
    expect_complaint(heddle({"predict", "--weights", weights(), *folder / "missing.png"}), 1, {"missing.png"});
    expect_complaint(heddle({"predict", "--weights", weights()}), 2, {"pictures"});
    expect_complaint(heddle({"predict", "--weights", weights(), "--input", *folder / "x.npy"}), 2, {"--output"});
    expect_complaint(heddle({"predict", picture(0)}), 2, {"--weights"});
    expect_complaint(heddle({"predict", "--weights", weights(), picture(0), "--seed", "-1"}), 2, {"--seed", "\"-1\""});
    expect_complaint(heddle({"predict", "--weights", *folder / "plain.safetensors", picture(0)}), 1, {"--model"});
    expect_complaint(heddle({"evaluate", "--weights", *folder / "plain.safetensors", "--data", *folder / "rows"}), 1,
                     {"plain.safetensors", "heddle evaluate MODEL"});
}

TEST_F(Predict, RefusesDamagedOrForeignWeights) {
    const std::string bytes = testing_files::read_bytes(weights()), bad = *folder / "bad.safetensors";
    const auto refused = [&](const std::string& content) {
        testing_files::write_bytes(bad, content);
        expect_complaint(heddle({"predict", "--weights", bad, picture(0)}), 1, {bad});
    };
    refused("");
    refused(bytes.substr(0, 100));
    refused(bytes.substr(0, bytes.size() - 1));
    refused(std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 8) + bytes.substr(8));
    refused(std::string("\x05\0\0\0\0\0\0\0{\"a\":", 13));
    expect_complaint(heddle({"predict", "--weights", *folder / "out/checkpoint.safetensors", picture(0)}), 1,
                     {"training checkpoint"});
    expect_complaint(heddle({"predict", "--weights", weights(), "--model", "mlp", picture(0)}), 1,
                     {weights(), "not of this model"});
    expect_complaint(heddle({"evaluate", "mlp", "--weights", weights(), "--data", *folder / "rows"}), 1,
                     {weights(), "not of this model"});
    write_cifar_folder(*folder / "cifar");
    expect_complaint(heddle({"evaluate", "linear", "--weights", weights(), "--data", *folder / "cifar"}), 1,
                     {"[32, 32, 3]", "[12, 12, 1]"});
}

}  // namespace
}  // namespace heddle::cli_tests
