#include "data/files/npy.h"
#include "heddle.h"
#include "tests/cli/command.h"

// Models of texts and of several inputs, made here: `heddle predict` must print what they return.
namespace heddle::cli_tests {
namespace {

using testing_files::TempFolder;

class PredictText : public testing::Test {
  protected:
    std::string path(const std::string& name) const { return folder / (name + ".safetensors"); }
    Outcome predict(const std::string& name, std::vector<std::string> words) const {
        words.insert(words.begin(), {"predict", "--weights", path(name)});
        return heddle(words);
    }
    std::vector<Json> records(const std::string& name, std::vector<std::string> words) const {
        words.push_back("--json");
        const Outcome outcome = predict(name, words);
        EXPECT_EQ(outcome.status, 0) << outcome.err;
        return outcome.records();
    }
    /// A model in a file, its outputs far apart.
    Model save(const std::string& name, const Model& model, const std::optional<TextVectorization>& vectorization,
               const std::vector<std::string>& classes = {}) const {
        model.set_text_vectorization(vectorization);
        model.set_class_names(classes);
        model.save(path(name));
        return model;
    }
    static Tokenizer words() {
        const std::vector<std::string> text{"the film is good", "the plot is bad"};
        return Tokenizer(text);
    }
    static Tokenizer letters() {
        const std::string text = "to be or not";
        return Tokenizer(std::span(&text, 1), {.unit = TokenizerOptions::Unit::character, .lower = false});
    }
    static Dense wide(std::int64_t units) {
        return Dense(units, {.kernel_initializer = {Initializer::random_normal, 2}});
    }

    PredictText() { set_seed(6); }
    TempFolder folder;
};

TEST_F(PredictText, NamesTheClassesOfTexts) {
    const TextVectorization numbers{.tokenizer = words(), .output_sequence_length = 4};
    const Sequential model{Embedding(8, 4), Flatten(), wide(3)};
    model.build(Shape{4});
    save("three", model, numbers, {"bad", "so-so", "good"});
    const std::vector<std::string> texts{"The film is good", "bad"};
    const Tensor p = ops::softmax(model.predict(numbers.apply(texts)));
    const std::vector<Json> all = records("three", {"--text", texts[0], "--text", texts[1], "--top", "1"});
    ASSERT_EQ(all.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
        const auto best = p.argmax(1).to_vector<std::int64_t>()[i];
        EXPECT_EQ(all[i].at("text"), texts[i]);
        EXPECT_EQ(all[i].at("predictions").size(), 1u);
        EXPECT_EQ(all[i].at("predictions")[0].at("index"), best);
        EXPECT_EQ(all[i].at("predictions")[0].at("class"), model.class_names()[static_cast<std::size_t>(best)]);
        EXPECT_NEAR(all[i].at("predictions")[0].at("probability"), p[static_cast<std::int64_t>(i)][best].item(), 1e-6);
    }
    EXPECT_TRUE(predict("three", {"--text", "bad"}).out.starts_with("\"bad\": "));
}

TEST_F(PredictText, OneNumberTellsTwoClassesApart) {
    const TextVectorization bags{.tokenizer = words(), .output_mode = TextVectorization::OutputMode::multi_hot};
    const Sequential model{wide(1)};
    model.build(Shape{8});
    save("two", model, bags, {"blame", "praise"});
    for (const std::string text : {"good", "bad", "the film is good"}) {
        const double praise = ops::sigmoid(model.predict(bags.apply(text))).item();
        const Json best = records("two", {"--text", text}).at(0).at("predictions");
        ASSERT_EQ(best.size(), 2u);
        EXPECT_EQ(best[0].at("class"), praise > 0.5 ? "praise" : "blame");
        EXPECT_NEAR(best[0].at("probability"), std::max(praise, 1 - praise), 1e-6);
    }
    // Without names a number is no class.
    save("number", model, bags);
    expect_complaint(predict("number", {"--text", "good"}), 1, {"[1]", "--output"});
}

TEST_F(PredictText, LabelsTokens) {
    const TextVectorization numbers{.tokenizer = letters(), .output_sequence_length = 6};
    const Sequential model{Embedding(letters().size(), 4), Bidirectional(LSTM(3, {.return_sequences = true})), wide(1)};
    model.build(Shape{6});
    save("labels", model, numbers, {"inside", "end"});
    const std::vector<float> logits = model.predict(numbers.apply("tobe")).to_vector<float>();
    const std::vector<Json> all = records("labels", {"--text", "tobe"});
    ASSERT_EQ(all.at(0).at("labels").size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(all[0].at("labels")[i].at("token"), std::string(1, "tobe"[i]));
        EXPECT_EQ(all[0].at("labels")[i].at("class"), logits[i] > 0 ? "end" : "inside");
    }
    EXPECT_TRUE(predict("labels", {"--text", "tobe"}).out.starts_with("t: "));
    expect_complaint(predict("labels", {"--text", "tobetobe"}), 1, {"8 tokens", "takes 6"});
}

TEST_F(PredictText, TextsAreAsLongAsTheyAre) {
    const TextVectorization numbers{.tokenizer = letters()};
    const Sequential model{Embedding(letters().size(), 4, {.mask_zero = true}),
                           Bidirectional(LSTM(3, {.return_sequences = true})), wide(1)};
    model.build(Shape{6});
    save("labels", model, numbers, {"inside", "end"});
    const std::vector<Json> both = records("labels", {"--text", "tobetobeornot", "--text", "tobe"}),
                            one = records("labels", {"--text", "tobe"});
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0].at("labels").size(), 13u);
    EXPECT_EQ(both[1], one.at(0));
    expect_complaint(predict("labels", {"--text", ""}), 1, {"empty"});
}

TEST_F(PredictText, TheNearestWordsOfATextsVector) {
    const std::vector<std::string> text{"red green blue rot"};  // token 2 to 5, in the order of their bytes
    const TextVectorization numbers{.tokenizer = Tokenizer(text)};
    EXPECT_EQ(numbers.tokenizer.tokens(), (std::vector<std::string>{"[PAD]", "[UNK]", "blue", "green", "red", "rot"}));
    const Sequential model{Embedding(6, 2, {.mask_zero = true}), GlobalAveragePooling1D()};
    model.build(Shape{1});
    model.parameters()[0].second.copy_(Tensor::from<float>({9, 9, 0, 0, -3, 4, 0, 2, 5, 0, 1, 0.1f}, Shape{6, 2}));
    save("vectors", model, numbers);
    EXPECT_EQ(predict("vectors", {"--text", "red", "--top", "2"}).out, "\"red\": rot 1.00, green 0.00\n");
    const std::vector<Json> all = records("vectors", {"--text", "red green", "--text", "rot", "--top", "9"});
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].at("event"), "nearest");
    EXPECT_EQ(all[0].at("text"), "red green");
    ASSERT_EQ(all[0].at("nearest").size(), 2u);  // not the text's own
    // (2.5, 1) against (1, 0.1) and (-3, 4).
    EXPECT_EQ(all[0].at("nearest")[0].at("word"), "rot");
    EXPECT_NEAR(all[0].at("nearest")[0].at("cosine"), 2.6 / std::sqrt(7.25 * 1.01), 1e-6);
    EXPECT_EQ(all[0].at("nearest")[1].at("word"), "blue");
    EXPECT_NEAR(all[0].at("nearest")[1].at("cosine"), -3.5 / std::sqrt(7.25 * 25), 1e-6);
    EXPECT_EQ(all[1].at("nearest")[0].at("word"), "red");
    expect_complaint(predict("vectors", {"--text", "purple"}), 1, {"purple", "vector"});
    const std::string y = folder / "y.npy";
    EXPECT_EQ(predict("vectors", {"--text", "red green", "--text", "rot", "--output", y}).status, 0);
    EXPECT_EQ(load_npy(y).to_vector<float>(), (std::vector<float>{2.5f, 1, 1, 0.1f}));
}

TEST_F(PredictText, LanguageModelsGoOn) {
    const Sequential model{TokenAndPositionEmbedding(letters().size(), 5, 4), GRU(8, {.return_sequences = true}),
                           wide(letters().size())};
    model.build(Shape{5});
    save("writer", model, TextVectorization{.tokenizer = letters(), .output_sequence_length = 5});
    const std::string expected = generate_text(model, "to be", {.length = 20, .temperature = 0.5, .seed = 3});
    EXPECT_EQ(predict("writer", {"--text", "to be", "--characters", "20", "--temperature", "0.5", "--seed", "3"}).out,
              expected + "\n");
    const Json record = records("writer", {"--text", "to be", "--characters", "4"}).at(0);
    EXPECT_EQ(record.at("begin"), "to be");
    EXPECT_TRUE(record.at("text").get<std::string>().starts_with("to be"));
    // Its numbers, where they are asked for.
    const std::string y = folder / "y.npy";
    EXPECT_EQ(predict("writer", {"--text", "to be", "--output", y}).status, 0);
    EXPECT_EQ(load_npy(y).shape(), (Shape{1, 5, letters().size()}));
    expect_complaint(predict("writer", {"--text", "", "--characters", "4"}), 1, {"empty"});
    expect_complaint(predict("writer", {"--text", "to", "--temperature", "0"}), 2, {"--temperature"});
}

TEST_F(PredictText, TokensAndMasksAsArrays) {
    const Symbol in = Input({4}), mask = Input({4});
    const Symbol read = LSTM(5, {.masked = true})({Embedding(6, 3)(in), mask});
    const Model model({in, mask}, {wide(2)(read)});
    save("masked", model, {});
    const Tensor x = Tensor::from(std::vector<std::int64_t>{1, 2, 3, 0, 5, 4, 3, 2}, Shape{2, 4}),
                 counts = ops::greater(x, Tensor::scalar(0, {DType::i64}));
    const std::vector<float> expected = model.predict({x, counts}).to_vector<float>();
    const std::string y = folder / "y.npy";
    const auto array = [&](const std::string& name, const Tensor& t) {
        save_npy(folder / name, t);
        return folder / name;
    };
    const std::string tokens = array("tokens.npy", x), mask_file = array("mask.npy", counts);
    for (const Tensor& numbers : {x, x.to(DType::i32)})
        for (const Tensor& m : {counts, counts.to(DType::f32), counts.to(DType::i64)}) {
            const Outcome done =
                predict("masked", {"--input", array("a.npy", numbers), "--input", array("b.npy", m), "--output", y});
            ASSERT_EQ(done.status, 0) << done.err;
            EXPECT_EQ(load_npy(y).to_vector<float>(), expected);
        }

    std::filesystem::remove(y);
    expect_complaint(predict("masked", {"--input", tokens, "--output", y}), 1, {"2 inputs", "got 1"});
    expect_complaint(predict("masked", {"--input", tokens, "--input", tokens, "--input", tokens, "--output", y}), 1,
                     {"2 inputs", "got 3"});
    expect_complaint(
        predict("masked", {"--input", tokens, "--input", array("b.npy", counts.slice(0, 1)), "--output", y}), 1,
        {"b.npy", "1 examples", "2"});
    expect_complaint(
        predict("masked", {"--input", array("a.npy", Tensor::zeros(Shape{2, 4})), "--input", mask_file, "--output", y}),
        1, {"Embedding", "i32 or i64", "f32"});
    expect_complaint(predict("masked", {"--input", array("a.npy", x + 2.0), "--input", mask_file, "--output", y}), 1,
                     {"Embedding", "outside 0 .. 5"});
    expect_complaint(predict("masked", {"--text", "a"}), 1, {"masked.safetensors", "texts", "--input"});
    expect_complaint(predict("masked", {"--text", "a", "--input", tokens, "--output", y}), 2, {"--text"});
    expect_complaint(predict("masked", {"picture.png"}), 1, {"pictures", "--input"});
    EXPECT_FALSE(std::filesystem::exists(y));

    const Sequential pictures{Flatten(), Dense(2)};
    pictures.build(Shape{4});
    save("numbers", pictures, {});
    expect_complaint(predict("numbers", {"--input", tokens, "--output", y}), 1, {"i64"});
}

TEST_F(PredictText, PicturesThatAreNotClassified) {
    const Sequential model{Conv2D(2, 3)};
    model.build(Shape{6, 6, 1});
    model.set_preprocessing(Preprocessing{.input_shape = Shape{6, 6, 1}});
    save("enlarger", model, {});
    save_png(folder / "a.png", Picture(6, 6, 1));
    expect_complaint(predict("enlarger", {folder / "a.png"}), 1, {"[4, 4, 2]", "--output"});
    EXPECT_EQ(predict("enlarger", {folder / "a.png", folder / "a.png", "--output", folder / "y.npy"}).status, 0);
    EXPECT_EQ(load_npy(folder / "y.npy").shape(), (Shape{2, 4, 4, 2}));
}

}  // namespace
}  // namespace heddle::cli_tests
